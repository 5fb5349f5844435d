import { inspect } from 'node:util';
import { runInNewContext } from 'node:vm';
import { memory, nn, ones, ops, type Tensor, tensor, tidy, zeros } from '../../lib';

class Block extends nn.Module {
  fc = new nn.Linear(2, 2);
  scale = new nn.Parameter(ones([2]));
  steps = new nn.Buffer(zeros([1], { dtype: 'int32' }));
  plain = ones([3]); // neither learned nor kept
  forward(x: Tensor): Tensor {
    return ops.mul(this.fc.forward(x), this.scale);
  }
}

class Net extends nn.Module {
  blocks = [new Block(), new Block()];
  again = this.blocks[0]; // a second name for the same module
  head = new nn.Sequential(new nn.Linear(2, 3, { bias: false }), new nn.ReLU());
  parent: Net | null = null;
  forward(x: Tensor): Tensor {
    return this.head.forward(this.blocks.reduce((input, block) => block.forward(input), x));
  }
}

const keys = ['fc.weight', 'fc.bias', 'scale', 'steps'];
const netKeys = [...keys.map((key) => `blocks.0.${key}`), ...keys.map((key) => `blocks.1.${key}`), 'head.0.weight'];

const codeOf = (code: string) => expect.objectContaining({ code });

function values(model: nn.Module): number[][] {
  return Object.values(model.stateDict()).map((part) => [...part.dataSync()]);
}

describe('Module', () => {
  test('finds parts in the order they were declared, each once', () => {
    const net = new Net();
    net.parent = net;
    expect(Object.keys(net.stateDict())).toEqual(netKeys);
    expect([...net.namedParameters()].map(([name]) => name)).toEqual(netKeys.filter((key) => !key.endsWith('steps')));
    expect([...net.namedBuffers()].map(([name]) => name)).toEqual(['blocks.0.steps', 'blocks.1.steps']);
    expect([...net.namedModules()].map(([name]) => name)).toEqual([
      ...['', 'blocks.0', 'blocks.0.fc', 'blocks.1', 'blocks.1.fc', 'head', 'head.0', 'head.1'],
    ]);
    expect(net.parameters()[0]).toBe(net.blocks[0]!.fc.weight);
    expect(net.buffers()).toEqual([net.blocks[0]!.steps, net.blocks[1]!.steps]);
  });

  test('finds parts in arrays, plain objects and Maps of any depth, and names them by the way there', () => {
    const layer = () => new nn.Linear(1, 1, { bias: false });
    const cycle: Record<string, unknown> = { layer: layer() };
    cycle.self = cycle;
    class Holder extends nn.Module {
      rows = [[layer()], [[layer(), 3, null, 'text']]] as const;
      named = { a: layer(), deeper: { list: [layer()], scale: new nn.Parameter(ones([1])) } };
      map = new Map<unknown, unknown>([
        ['b', layer()],
        [2, layer()],
        [Symbol('c'), layer()],
        [{}, layer()],
      ]);
      bare = Object.assign(Object.create(null) as object, { d: layer() });
      cycle = cycle;
      again = { first: this.rows[0][0] };
      dated = Object.assign(new Date(0), { layer: layer() }); // no plain object
      set = new Set([layer()]);
      parent = { around: this };
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    const holder = new Holder();
    const modules = ['rows.0.0', 'rows.1.0.0', 'named.a', 'named.deeper.list.0', 'map.b', 'map.2', 'bare.d', 'cycle.layer'];
    expect(Array.from(holder.namedModules(), ([name]) => name)).toEqual(['', ...modules]);
    const names = modules.map((name) => `${name}.weight`);
    names.splice(4, 0, 'named.deeper.scale');
    expect(Object.keys(holder.stateDict())).toEqual(names);
    holder.eval();
    expect(holder.named.deeper.list[0]!.training).toBe(false);
    expect(String(holder)).toContain('(named.deeper.list.0): Linear(');
  });

  test('finds parts in objects and Maps of another context', () => {
    class Holder extends nn.Module {
      constructor(readonly held: object) {
        super();
      }
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    const { object, map } = runInNewContext('({ object: { a: [layer] }, map: new Map([["b", layer]]) })', { layer: new nn.Linear(1, 1) });
    expect(Object.keys(new Holder(object).stateDict())).toEqual(['held.a.0.weight', 'held.a.0.bias']);
    expect(Object.keys(new Holder(map).stateDict())).toEqual(['held.b.weight', 'held.b.bias']);
  });

  test('an object met twice is gone through once, under its first name', () => {
    let read = 0;
    let nested: object = {
      get layer() {
        read++;
        return layer;
      },
    };
    const layer = new nn.Linear(1, 1);
    for (let i = 0; i < 12; i++) nested = { l: nested, r: nested };
    class Nested extends nn.Module {
      nested = nested;
      again = [nested];
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    const name = `nested${'.l'.repeat(12)}.layer`;
    expect(Array.from(new Nested().namedModules(), ([at]) => at)).toEqual(['', name]);
    expect(read).toBe(1);
  });

  test('two tensors of one name are an error, not one lost', () => {
    class Ambiguous extends nn.Module {
      named = { 'a.b': new nn.Linear(1, 1), a: { b: new nn.Linear(1, 1) } };
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    expect(() => new Ambiguous().stateDict()).toThrow('stateDict: two tensors of the model are called named.a.b.weight');
  });

  test('train and eval call the train of what is inside', () => {
    class Frozen extends nn.Sequential {
      override train(training = true): this {
        super.train(training);
        this.at(0)!.train(false);
        return this;
      }
    }
    class Around extends nn.Module {
      parts = [new Frozen(new nn.BatchNorm2d(1), new nn.Dropout(0.5)), new nn.Dropout(0.5)];
      self = this;
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    const model = new Around();
    const modes = () => Array.from(model.namedModules(), ([name, { training }]) => [name, training]);
    model.train();
    const frozen = [
      ['', true],
      ['parts.0', true],
      ['parts.0.0', false],
      ['parts.0.1', true],
      ['parts.1', true],
    ];
    expect(modes()).toEqual(frozen);
    model.eval();
    expect(modes().every(([, training]) => !training)).toBe(true);
    expect(model.train(true)).toBe(model);
    expect(modes()).toEqual(frozen);
  });

  test('train visits a module once, however many ways lead there', () => {
    let visits = 0;
    class Visited extends nn.Module {
      override *namedParts() {
        visits++;
        yield* super.namedParts();
      }
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    class Pair extends Visited {
      constructor(
        readonly l: nn.Module,
        readonly r: nn.Module,
      ) {
        super();
      }
    }
    let model: nn.Module = new Visited();
    for (let i = 0; i < 10; i++) model = new Pair(model, model);
    const module = model.train();
    expect(visits).toBe(11);
    expect(Array.from(module.eval().namedModules(), ([, { training }]) => training)).toEqual(Array(11).fill(false));
  });

  test('an override of train sets what else uses the same module', () => {
    const shared = new nn.Sequential(new nn.Dropout(0.5));
    class Frozen extends nn.Module {
      inner = shared;
      override train(): this {
        return super.train(false);
      }
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    const model = new nn.Sequential(shared, new Frozen());
    model.train();
    expect([shared.training, shared.at(0)!.training]).toEqual([false, false]);
  });

  test('train and eval reach every module', () => {
    const net = new Net();
    expect(net.eval()).toBe(net);
    expect([...net.namedModules()].every(([, module]) => !module.training)).toBe(true);
    net.train();
    expect([...net.namedModules()].every(([, module]) => module.training)).toBe(true);
  });

  test('what it owns outlives a tidy', () => {
    const net = tidy(() => ({ net: new Net() })).net;
    expect(net.parameters().every((parameter) => !parameter.disposed)).toBe(true);
    expect(net.forward(ones([1, 2])).shape).toEqual([1, 3]);
  });

  test('dispose frees parameters, buffers and gradients, and nothing else', () => {
    const before = memory().tensors;
    const model = new nn.Sequential(new nn.Linear(4, 4), new nn.BatchNorm1d(4));
    tidy(() => ops.sum(model.forward(ones([3, 4]))).backward());
    expect(memory().tensors).toBe(before + 6 + 4);
    model.dispose();
    expect(memory().tensors).toBe(before);
  });

  test('dispose frees tensors of one name, too', () => {
    const before = memory().tensors;
    class Ambiguous extends nn.Module {
      named = { 'a.b': new nn.Linear(1, 1), a: { b: new nn.Linear(1, 1) } };
      forward(x: Tensor): Tensor {
        return x;
      }
    }
    new Ambiguous().dispose();
    expect(memory().tensors).toBe(before);
  });

  test('shows its structure', () => {
    expect(inspect(new Net())).toBe(
      [
        'Net(',
        '  (blocks.0): Block(',
        '    (fc): Linear(2, 2)',
        '  )',
        '  (blocks.1): Block(',
        '    (fc): Linear(2, 2)',
        '  )',
        '  (again): Block(',
        '    (fc): Linear(2, 2)',
        '  )',
        '  (head): Sequential(',
        '    (0): Linear(2, 3, { bias: false })',
        '    (1): ReLU()',
        '  )',
        ')',
      ].join('\n'),
    );
  });
});

test('a module that refers back to one around it is shown by its name there', () => {
  class Leg extends nn.Module {
    constructor(readonly body: nn.Module) {
      super();
    }
    forward(x: Tensor): Tensor {
      return x;
    }
  }
  class Body extends nn.Module {
    self = this;
    leg = new Leg(this);
    forward(x: Tensor): Tensor {
      return x;
    }
  }
  const body = new Body();
  const expected = ['Body(', '  (self): Body(…)', '  (leg): Leg(', '    (body): Body(…)', '  )', ')'].join('\n');
  expect([inspect(body), String(body)]).toEqual([expected, expected]);
});

describe('loadStateDict', () => {
  test('copies values, which then do not follow the source', () => {
    const [from, to] = [new Net(), new Net()];
    expect(to.loadStateDict(from.stateDict())).toEqual({ missing: [], unexpected: [] });
    expect(values(to)).toEqual(values(from));
    nn.init.zeros(from.head.at(0)!.parameters()[0]!);
    expect(values(to)).not.toEqual(values(from));
  });

  test('names every fault in one error and writes nothing', () => {
    const net = new Net();
    const before = values(net);
    const { 'head.0.weight': _, ...state } = new Net().stateDict();
    const faulty = { ...state, 'blocks.0.scale': ones([5]), 'blocks.1.steps': ones([1]), extra: ones([1]) };
    let message = '';
    try {
      net.loadStateDict(faulty);
    } catch (error) {
      expect(error).toEqual(codeOf('ERR_INVALID_VALUE'));
      message = (error as Error).message;
    }
    for (const fault of [
      'blocks.0.scale has shape [5], expected [2]',
      'blocks.1.steps is float32, expected int32',
      'head.0.weight is missing',
      'extra is not in the model',
    ]) {
      expect(message).toContain(fault);
    }
    expect(values(net)).toEqual(before);
  });

  test('not strict: loads what both have, and says what was left out', () => {
    const linear = new nn.Linear(1, 1);
    const result = linear.loadStateDict({ weight: tensor([[7]]), other: ones([1]) }, { strict: false });
    expect(result).toEqual({ missing: ['bias'], unexpected: ['other'] });
    expect(linear.weight.itemSync()).toBe(7);
    expect(() => linear.loadStateDict({ weight: ones([2, 2]) }, { strict: false })).toThrow('weight has shape [2,2], expected [1,1]');
  });

  test.each([
    ['a value that is no tensor', { weight: 1 as unknown as Tensor, bias: ones([1]) }, 'weight is not a Tensor'],
    ['a name from the prototype', Object.create({ weight: ones([1, 1]) }), 'weight is missing'],
  ])('%s', (_, state, fault) => {
    expect(() => new nn.Linear(1, 1).loadStateDict(state)).toThrow(fault);
  });

  test('a disposed tensor', () => {
    const gone = ones([1, 1]);
    gone.dispose();
    expect(() => new nn.Linear(1, 1).loadStateDict({ weight: gone, bias: ones([1]) })).toThrow('weight was disposed of');
  });

  test('between forward and backward is noticed by the tape', () => {
    const linear = new nn.Linear(1, 1);
    const y = linear.forward(tensor([[2]], null, { requiresGrad: true }));
    linear.loadStateDict(new nn.Linear(1, 1).stateDict());
    expect(() => y.backward()).toThrow('was written to afterwards');
  });
});

describe('Sequential', () => {
  test('holds, appends, gives and goes through its modules', () => {
    const [a, b, c] = [new nn.Linear(1, 2), new nn.ReLU(), new nn.Linear(2, 1)];
    const model = new nn.Sequential(a, b).append(c);
    expect([...model]).toEqual([a, b, c]);
    expect([model.length, model.at(0), model.at(-1), model.at(3)]).toEqual([3, a, c, undefined]);
    expect(Object.keys(model.stateDict())).toEqual(['0.weight', '0.bias', '2.weight', '2.bias']);
  });

  test('of nothing returns its input; of something else than modules is an error', () => {
    const x = ones([1]);
    expect(new nn.Sequential().forward(x)).toBe(x);
    expect(() => new nn.Sequential(ops.relu as never)).toThrow('Sequential: module 0 is a function, expected a Module');
  });
});

describe('Parameter and Buffer', () => {
  test('are tensors that share memory with what they are made from', () => {
    const source = ones([2]);
    const parameter = new nn.Parameter(source);
    nn.init.constant(source, 3);
    expect([...parameter.dataSync()]).toEqual([3, 3]);
    source.dispose();
    expect([...parameter.dataSync()]).toEqual([3, 3]);
    expect(parameter.requiresGrad).toBe(true);
    expect(new nn.Buffer(ones([1])).requiresGrad).toBe(false);
    ops.sum(ops.mul(parameter, parameter)).backward();
    expect([...parameter.grad!.dataSync()]).toEqual([6, 6]);
  });

  test('refuse what they cannot be', () => {
    expect(() => new nn.Parameter(ones([1], { dtype: 'int32' }))).toThrow('Parameter: values are int32, expected float32 or float64');
    expect(() => new nn.Buffer([1] as never)).toThrow('Buffer: values is [1], expected a Tensor');
  });
});
