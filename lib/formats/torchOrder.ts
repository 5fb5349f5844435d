import { noGrad } from '../autograd';
import type { Dtype } from '../dtype';
import { ReceptiveError } from '../errors';
import { Embedding, Flatten, Linear, type Module } from '../nn';
import { ConvLayer } from '../nn/convLayer';
import { inMode } from '../nn/mode';
import { type Shape, sameShape } from '../shape';
import { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { type Trace, type TraceNode, trace, type Value } from '../trace';

// Where an image is flattened, PyTorch has its features in the order of channels, rows, columns, and the layers here rows, columns,
// channels. What is learned for each feature after that, such as the columns of a fully connected layer's weights, is in another order
// then. So is, the other way round, what is learned for each feature of a vector that becomes an image, such as the rows of those weights
// in a generator. Which parameters those are is found by following the values of a model.

/** An axis of a parameter or buffer along which [places…, channels] stand, where PyTorch has [channels, places…]. */
export interface Turned {
  readonly axis: number;
  readonly image: Shape;
}

/** Of parameters and buffers, by name, the axes that are in another order. */
export type FlattenedOrders = ReadonlyMap<string, readonly Turned[]>;

/** A parameter or buffer that has something for each feature, along this axis. */
interface Learned {
  readonly name: string;
  readonly axis: number;
}

/**
 * What is known of a value's last axes: channels behind places, as of an image; features that were such; features that cannot be told;
 * features that were learned, and the image that those became, where the two can be told (`image`, else null).
 */
type Order =
  | 'image'
  | 'mixed'
  | { readonly flattened: Shape }
  | { readonly learned: readonly Learned[]; readonly image: Shape | null | undefined };

/** Operations on images alone: what comes to one has places and channels. */
const onImages = /^(conv|maxPool|maxUnpool|avgPool|adaptive|upsample|locallyConnected)/;

/** Whether PyTorch has the elements of an image, one of a batch, in another order. */
const matters = (image: Shape): boolean => image.at(-1)! > 1 && image.slice(0, -1).some((n) => n !== 1);

class Follower {
  readonly found = new Map<string, Turned[]>();
  readonly #orders = new Map<Value, Order>();

  constructor(record: Trace) {
    for (const input of record.inputs) if (input.shape.length >= 4 && input.dtype !== 'int32') this.#orders.set(input, 'image');
    for (const node of record.nodes) {
      this.#settle(node);
      const order = this.#after(node);
      if (order) this.#orders.set(node.output, order);
    }
  }

  #ordersOf({ inputs }: TraceNode): Order[] {
    return inputs.map((input) => input && this.#orders.get(input)).filter((order) => order !== null && order !== undefined);
  }

  #turn({ name, axis }: Learned, image: Shape): void {
    const turns = this.found.get(name) ?? [];
    const known = turns.find((turn) => turn.axis === axis);
    if (known && !sameShape(known.image, image)) throw unclear(`${name} is used for images of different shapes`);
    if (!known) this.found.set(name, [...turns, { axis, image }]);
  }

  /** What became an image of learned features is one where it comes to an operation on images, or to another image. */
  #settle(node: TraceNode): void {
    const { op, inputs } = node;
    if (!onImages.test(op.name) && !this.#ordersOf(node).includes('image')) return;
    for (const input of inputs) {
      const order = input && this.#orders.get(input);
      if (!order || typeof order !== 'object' || !('learned' in order) || order.image === undefined) continue;
      for (const each of order.learned) {
        if (!order.image) throw unclear(`${each.name}, whose features reach ${op.name} as an image, in an order that cannot be told`);
        this.#turn(each, order.image);
      }
      this.#orders.set(input!, 'image');
    }
  }

  /** The order of what an operation gives. */
  #after(node: TraceNode): Order | undefined {
    const orders = this.#ordersOf(node);
    if (node.op.name.startsWith('conv')) return 'image';
    if (orders.includes('image')) return afterImage(node);
    const learned = orders.filter((order) => typeof order === 'object' && 'learned' in order);
    if (orders.length > learned.length) return this.#afterFlattened(node, orders);
    if (node.op.name === 'linear' || node.op.name === 'embedding') {
      const pointwise = learned.find(({ image }) => image !== undefined);
      return pointwise ?? learnedBy(node);
    }
    return learned.length > 0 ? afterLearned(node, { ...learned[0]!, learned: learned.flatMap((order) => order.learned) }) : undefined;
  }

  #afterFlattened(node: TraceNode, orders: readonly Order[]): Order | undefined {
    const { op, inputs, output } = node;
    const [x] = inputs;
    const own = orders.find((order) => order === 'mixed') ?? orders[0]!;
    const isLinear = op.name === 'linear';
    const learned = learnedIn(node);
    const known =
      typeof own === 'object' && 'flattened' in own && orders.length === 1 && x!.shape.length === 2 && (isLinear || isElementwise(node));
    if (known && isLinear) {
      const weight = inputs[1]!;
      if (weight.origin !== 'parameter') throw unclear('the weights that linear uses of a flattened image are no parameter');
      this.#turn({ name: weight.name, axis: 1 }, own.flattened);
      return learnedBy(node);
    }
    if (known) {
      for (const each of forFeatures(node)) this.#turn(each, own.flattened);
      return own;
    }
    const back = typeof own === 'object' && 'flattened' in own && orders.length === 1 && op.name === 'reshape';
    if (back && output.shape[0] === x!.shape[0] && sameShape(output.shape.slice(1), own.flattened)) return 'image';
    if (learned.length > 0) {
      throw unclear(`${learned[0]!.name}, which ${op.name} uses, learned of features in an order that cannot be told`);
    }
    return isLinear ? undefined : 'mixed';
  }
}

const learnedIn = ({ inputs }: TraceNode): Value[] =>
  inputs.filter((input): input is Value => input !== null && (input.origin === 'parameter' || input.origin === 'buffer'));

/** Whether each feature of [N,features] is made of the same feature alone. */
const isElementwise = ({ op, inputs: [x], output: { shape } }: TraceNode): boolean =>
  op.name !== 'matmul' && shape.length === 2 && x!.shape.length === 2 && shape[1] === x!.shape[1];

/** What an elementwise operation has for each feature. */
const forFeatures = (node: TraceNode): Learned[] =>
  learnedIn(node)
    .filter(({ shape }) => shape.at(-1) === node.output.shape.at(-1))
    .map(({ name, shape }) => ({ name, axis: shape.length - 1 }));

function afterImage({ op, inputs, output }: TraceNode): Order | undefined {
  const { shape } = inputs[0]!;
  if (op.name === 'transpose') return 'mixed';
  if (op.name !== 'reshape') return output.shape.length >= 3 ? 'image' : undefined;
  if (output.shape.length >= 3) return output.shape.at(-1) === shape.at(-1) ? 'image' : 'mixed';
  if (output.shape.length !== 2 || output.shape[0] !== shape[0]) return 'mixed';
  return matters(shape.slice(1)) ? { flattened: shape.slice(1) } : undefined;
}

/** A fully connected layer has the rows of its weights and its bias for each feature it gives, a table of vectors its columns. */
function learnedBy({ op, inputs, output }: TraceNode): Order | undefined {
  if (output.shape.length !== 2) return undefined;
  const isLinear = op.name === 'linear';
  const used = inputs.slice(isLinear ? 1 : 0).filter((input): input is Value => input !== null && !input.depends);
  const learned = used.map(({ name, shape }) => ({ name: name || `what ${op.name} uses`, axis: isLinear ? 0 : shape.length - 1 }));
  return { learned, image: used.some(({ origin }) => origin === 'operation') ? null : undefined };
}

function afterLearned(node: TraceNode, own: Exclude<Order, string | { flattened: Shape }>): Order | undefined {
  const { op, inputs, output } = node;
  const from = inputs[0]!.shape;
  if (own.image !== undefined) {
    if (output.shape.length < 3) return undefined;
    const moved = op.name === 'matmul' || op.name === 'transpose' || (op.name === 'reshape' && output.shape.at(-1) !== from.at(-1));
    return moved ? { ...own, image: null } : own;
  }
  if (isElementwise(node)) return { ...own, learned: [...own.learned, ...forFeatures(node)] };
  if (op.name !== 'reshape') return { ...own, image: null };
  const image = output.shape.slice(1);
  if (output.shape[0] !== from[0] || output.shape.length < 3) return { ...own, image: null };
  return matters(image) ? { ...own, image } : undefined;
}

const isUnclear = (error: unknown): boolean => (error as { code?: unknown }).code === 'ERR_UNSUPPORTED';

const unclear = (message: string): ReceptiveError => new ReceptiveError('ERR_UNSUPPORTED', `layout 'torch': ${message}`);

function ordersFor(model: Module, shape: Shape, dtype: Dtype): FlattenedOrders {
  return inMode(model, 'inference', () =>
    noGrad(() =>
      tidy(() => {
        using record = trace(model, [Tensor.hollow(shape, dtype)], { hollow: true });
        return new Follower(record).found;
      }),
    ),
  );
}

/** Sizes of images that models are made for, by how many axes they have besides the batch and the channels. */
const usual: readonly (readonly number[])[] = [
  [],
  [1024, 512, 256, 128, 2048, 64],
  [224, 256, 32, 64, 28, 96, 299, 512],
  [32, 64, 16, 112],
];

const sizeUnknown = (): ReceptiveError =>
  unclear('in what order an image is flattened depends on its size: give the shape of an input, such as { input: [1, 28, 28, 1] }');

/** Whether a model that begins with a fully connected layer may flatten images for it, of as many elements as that takes. */
function mayFlatten(model: Module, before: readonly Module[], features: number): boolean {
  const channels = Array.from({ length: Math.floor(Math.sqrt(features)) }, (_, i) => i + 2).find((n) => features % n === 0);
  if (!channels || channels === features) return false; // no image of several places and channels has so many
  if (before.some((layer) => layer instanceof Flatten)) return true;
  try {
    return ordersFor(model, [1, 1, features / channels, channels], 'float32').size > 0;
  } catch {
    return false; // it takes no images
  }
}

/**
 * The orders of a model's parameters and buffers where images are flattened, or made of vectors.
 * @param input The shape of an input. Without it the model is tried with usual sizes: where two of them agree, any does.
 * @throws ReceptiveError ERR_UNSUPPORTED where the orders cannot be told, or not without an input.
 */
export function flattenedOrders(model: Module, input: Shape | undefined): FlattenedOrders {
  const layers = Array.from(model.namedModules(), ([, module]) => module);
  const conv = layers.find((layer) => layer instanceof ConvLayer);
  const first = layers.find((layer) => layer instanceof Embedding || layer instanceof ConvLayer || layer instanceof Linear);
  const embeds = layers.some((layer) => layer instanceof Embedding);
  if (input) {
    const begin = layers.find((layer) => layer instanceof Embedding || layer instanceof ConvLayer);
    return ordersFor(model, input, begin instanceof Embedding ? 'int32' : 'float32');
  }
  const flattens = layers.some((layer) => layer instanceof Flatten);
  if (!first) {
    if (flattens && Object.keys(model.stateDict()).length > 0) throw sizeUnknown();
    return new Map();
  }
  if (first instanceof Linear && !embeds && mayFlatten(model, layers.slice(0, layers.indexOf(first)), first.inFeatures))
    throw sizeUnknown();
  if (!conv || !(flattens || layers.some((layer) => layer instanceof Linear))) return new Map();
  if (first instanceof Linear) {
    try {
      return ordersFor(model, [1, first.inFeatures], 'float32');
    } catch (error) {
      if (isUnclear(error)) throw error;
    }
  }
  const begin = layers.find((layer) => layer instanceof Embedding) ?? conv;
  const dtype = begin instanceof Embedding ? 'int32' : 'float32';
  const shapes =
    begin instanceof ConvLayer
      ? usual[begin.weight.rank - 2]!.map((size) => [1, ...new Array<number>(begin.weight.rank - 2).fill(size), begin.inChannels])
      : usual[1]!.map((size) => [1, size]);
  const seen: FlattenedOrders[] = [];
  for (const shape of shapes) {
    try {
      seen.push(ordersFor(model, shape, dtype));
    } catch (error) {
      if (isUnclear(error)) throw error; // not a matter of the size
      continue;
    }
    if (seen.length === 2) break;
  }
  const [a, b] = seen.map((orders) => JSON.stringify([...orders]));
  if (seen.length === 2 ? a === b : a === '[]') return seen[0]!;
  throw sizeUnknown();
}
