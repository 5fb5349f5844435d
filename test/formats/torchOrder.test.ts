import { manualSeed, nn, ops, randn, type Tensor } from '../../lib';
import { flattenedOrders } from '../../lib/formats/torchOrder';

// Which parameters are in another order where images become vectors and vectors images. That files of PyTorch's own models come out right
// is tested in test/golden/states.test.ts.

beforeEach(() => manualSeed(1));

/** A model of a function, with a few parameters to use in it. */
class Fn extends nn.Module {
  readonly table = new nn.Parameter(randn([7, 24]));
  readonly w = new nn.Parameter(randn([24, 24]));
  readonly v = new nn.Parameter(randn([24, 24]));
  readonly scale = new nn.Parameter(randn([24]));
  readonly row = new nn.Parameter(randn([2, 4]));
  readonly kernel = new nn.Parameter(randn([1, 1, 4, 2]));
  constructor(readonly fn: (x: Tensor, model: Fn) => Tensor) {
    super();
  }
  forward(x: Tensor): Tensor {
    return this.fn(x, this);
  }
}

/** Found for images [1,2,3,4], unless another input is given: name, axis and image of each parameter in another order. */
const ordersOf = (fn: (x: Tensor, model: Fn) => Tensor, input: readonly number[] = [1, 2, 3, 4]) =>
  [...flattenedOrders(new Fn(fn), input)].flatMap(([name, turns]) => turns.map(({ axis, image }) => `${name} ${axis} [${image}]`));

const flat = (x: Tensor) => ops.reshape(x, [x.shape[0]!, -1]);
const vector = [1, 24];

describe('a flattened image', () => {
  test.each<[string, (x: Tensor, model: Fn) => Tensor, string[]]>([
    ['turns what a fully connected layer has for each feature', (x, { w }) => ops.linear(flat(x), w), ['w 1 [2,3,4]']],
    ['once, though it is used twice', (x, { w }) => ops.add(ops.linear(flat(x), w), ops.linear(flat(ops.relu(x)), w)), ['w 1 [2,3,4]']],
    [
      'and what was learned elementwise on the way',
      (x, { w, scale }) => ops.linear(ops.mul(flat(x), scale), w),
      ['scale 0 [2,3,4]', 'w 1 [2,3,4]'],
    ],
    ['is an image again in its old shape', (x, { kernel }) => ops.conv2d(ops.reshape(flat(x), [1, 2, 3, 4]), kernel), []],
    ['of one channel is in no other order', (x, { w }) => ops.linear(flat(ops.reshape(x, [1, 4, 6, 1])), ops.mul(w, 1)), []],
    ['whose places became one axis first', (x, { w }) => ops.linear(flat(ops.reshape(x, [1, 6, 4])), w), ['w 1 [6,4]']],
    [
      'does not matter to weights that are computed of a mixture',
      (x, { w }) => ops.linear(flat(ops.transpose(x, [0, 3, 1, 2])), ops.mul(w, 2)),
      [],
    ],
    ['nor to what follows a layer on each of its places', (x, { row }) => ops.linear(x, row), []],
  ])('%s', (_name, fn, expected) => {
    expect(ordersOf(fn)).toEqual(expected);
  });

  test.each<[string, (x: Tensor, model: Fn) => Tensor, string]>([
    [
      'of two shapes',
      (x, { w }) =>
        ops.add(ops.linear(flat(ops.slice(x, [0, 0, 0], [1, 2, 3])), w), ops.linear(flat(ops.slice(x, [0, 0, 0], [1, 3, 2])), w)),
      'w is used for images of different shapes',
    ],
    ['by weights that are computed', (x, { w }) => ops.linear(flat(ops.slice(x, [0], [1, 2, 3])), ops.mul(w, 2)), 'are no parameter'],
    ['turned before', (x, { w }) => ops.linear(flat(ops.transpose(ops.slice(x, [0], [1, 2, 3]), [0, 3, 1, 2])), w), 'w, which linear uses'],
    [
      'split among channels',
      (x, { w }) => ops.linear(flat(ops.reshape(ops.slice(x, [0], [1, 2, 3]), [1, 3, 8])), w),
      'w, which linear uses',
    ],
  ])('%s is unclear', (_name, fn, message) => {
    expect(() => ordersOf(fn, [1, 3, 3, 4])).toThrow(message);
  });
});

describe('features that become an image', () => {
  const image = (x: Tensor) => ops.reshape(x, [x.shape[0]!, 2, 3, 4]);
  const seen = (x: Tensor, { kernel }: Fn) => ops.conv2d(x, kernel);

  test.each<[string, (x: Tensor, model: Fn) => Tensor, string[]]>([
    ['turn the rows of the weights that made them', (x, m) => seen(image(ops.linear(x, m.w)), m), ['w 0 [2,3,4]']],
    [
      'and what was learned elementwise',
      (x, m) => seen(image(ops.mul(ops.linear(x, m.w), m.scale)), m),
      ['w 0 [2,3,4]', 'scale 0 [2,3,4]'],
    ],
    [
      'and both of two that are added up',
      (x, m) => seen(image(ops.add(ops.linear(x, m.w), ops.linear(x, m.v))), m),
      ['w 0 [2,3,4]', 'v 0 [2,3,4]'],
    ],
    ['through what is done to the image', (x, m) => seen(ops.relu(image(ops.linear(x, m.w))), m), ['w 0 [2,3,4]']],
    ['but not where they are flat again', (x, m) => ops.linear(flat(image(ops.linear(x, m.w))), m.v), []],
    ['nor where no image is seen', (x, m) => image(ops.linear(x, m.w)), []],
    [
      'nor where the image is one place',
      (x, m) => ops.conv2d(ops.reshape(ops.linear(x, m.w), [1, 1, 1, 24]), ops.reshape(m.table, [1, 1, 24, 7])),
      [],
    ],
    ['nor before anything was learned', (x, m) => seen(image(ops.relu(x)), m), []],
  ])('%s', (_name, fn, expected) => {
    expect(ordersOf(fn, vector)).toEqual(expected);
  });

  test.each<[string, (x: Tensor, model: Fn) => Tensor, string]>([
    [
      'made by weights that are computed',
      (x, m) => seen(image(ops.linear(x, ops.mul(m.w, 2))), m),
      'what linear uses, whose features reach conv2d as an image',
    ],
    ['turned on the way', (x, m) => seen(ops.transpose(image(ops.linear(x, m.w)), [0, 2, 1, 3]), m), 'w, whose features reach conv2d'],
    ['mixed on the way', (x, m) => seen(image(ops.matmul(ops.linear(x, m.w), m.v)), m), 'w, whose features reach conv2d'],
    ['spread over a batch', (x, m) => seen(ops.reshape(ops.linear(x, m.w), [2, 1, 3, 4]), m), 'w, whose features reach conv2d'],
  ])('%s are unclear', (_name, fn, message) => {
    expect(() => ordersOf(fn, vector)).toThrow(message);
  });
});

describe('without an input', () => {
  class Tokens extends nn.Module {
    embedding = new nn.Embedding(7, 4);
    conv = new nn.Conv1d(4, 3, 3);
    linear = new nn.Linear(3, 2);
    forward(x: Tensor): Tensor {
      return this.linear.forward(ops.max(this.conv.forward(this.embedding.forward(x)), { axis: 1 }));
    }
  }

  test('tokens are tried as tokens', () => {
    expect([...flattenedOrders(new Tokens(), undefined)]).toEqual([]);
    expect([...flattenedOrders(new Tokens(), [2, 9])]).toEqual([]);
  });

  test('a model of parameters alone that flattens cannot be told', () => {
    class Bare extends nn.Module {
      flatten = new nn.Flatten();
      w = new nn.Parameter(randn([2, 12]));
      forward(x: Tensor): Tensor {
        return ops.linear(this.flatten.forward(x), this.w);
      }
    }
    expect(() => flattenedOrders(new Bare(), undefined)).toThrow('give the shape of an input');
    expect(flattenedOrders(new Bare(), [1, 2, 3, 2]).size).toBe(1);
    expect(flattenedOrders(new nn.Flatten(), undefined).size).toBe(0);
  });

  test('an unclear order is no matter of the size', () => {
    class Mixed extends nn.Module {
      conv = new nn.Conv2d(1, 2, 1);
      linear = new nn.Linear(2, 3);
      forward(x: Tensor): Tensor {
        const y = ops.mean(ops.transpose(this.conv.forward(x), [0, 3, 1, 2]), { axis: [2, 3] });
        return this.linear.forward(y);
      }
    }
    expect(() => flattenedOrders(new Mixed(), undefined)).toThrow('linear.weight, which linear uses');
  });
});
