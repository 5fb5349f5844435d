import { noGrad } from '../autograd';
import type { Dtype } from '../dtype';
import { ReceptiveError } from '../errors';
import { Embedding, Linear, type Module } from '../nn';
import { ConvLayer } from '../nn/convLayer';
import { inMode } from '../nn/mode';
import type { Shape } from '../shape';
import { Tensor } from '../tensor';
import { tidy } from '../tidy';
import { type Trace, trace, type Value } from '../trace';

// Where an image is flattened, PyTorch has its features in the order of channels, rows, columns, and the layers here rows, columns,
// channels. What is learned for each feature after that, such as the columns of a fully connected layer's weights, is in another order
// then. Which parameters those are is found by following the values of a model.

/** Of parameters and buffers, by name, the shape [places…, channels] that was flattened into their last axis. */
export type FlattenedOrders = ReadonlyMap<string, Shape>;

/** What is known of a value's last axes: channels behind places, as of an image; features that were such; or features that cannot be told. */
type Order = 'image' | 'mixed' | { readonly flattened: Shape };

/** The orders of what a model learned of flattened images, for an input of this shape and type. */
function followed(record: Trace): FlattenedOrders {
  const orders = new Map<Value, Order>();
  const found = new Map<string, Shape>();
  for (const input of record.inputs) if (input.shape.length >= 4 && input.dtype !== 'int32') orders.set(input, 'image');
  for (const { op, inputs, output } of record.nodes) {
    const [x, ...others] = inputs;
    const data = inputs.map((input) => input && orders.get(input));
    const own = data.find((order) => order !== undefined && order !== null);
    const last = output.shape.at(-1);
    if (op.name.startsWith('conv')) {
      orders.set(output, 'image');
    } else if (own === 'image') {
      const { shape } = x!;
      if (op.name === 'transpose') orders.set(output, 'mixed');
      else if (op.name !== 'reshape') {
        if (output.shape.length >= 3) orders.set(output, 'image');
      } else if (output.shape.length >= 3) {
        orders.set(output, last === shape.at(-1) ? 'image' : 'mixed');
      } else if (output.shape.length === 2 && output.shape[0] === shape[0]) {
        if (shape.slice(1, -1).some((n) => n !== 1)) orders.set(output, { flattened: shape.slice(1) });
      } else {
        orders.set(output, 'mixed');
      }
    } else if (own) {
      const learned = [x, ...others].filter((input) => input && (input.origin === 'parameter' || input.origin === 'buffer')) as Value[];
      const ofFeatures = learned.filter(({ shape }) => shape.at(-1) === x!.shape.at(-1));
      const elementwise = output.shape.length === 2 && last === x!.shape.at(-1) && data.filter(Boolean).length === 1;
      const known = own !== 'mixed' && x!.shape.length === 2 && (op.name === 'linear' || elementwise);
      if (!known && learned.length > 0)
        throw unclear(`${learned[0]!.name}, which ${op.name} uses, learned of features in an order that cannot be told`);
      if (known) for (const { name } of op.name === 'linear' ? ofFeatures.slice(0, 1) : ofFeatures) found.set(name, own.flattened);
      if (op.name !== 'linear') orders.set(output, known ? own : 'mixed');
    }
  }
  return found;
}

const unclear = (message: string): ReceptiveError => new ReceptiveError('ERR_UNSUPPORTED', `layout 'torch': ${message}`);

function ordersFor(model: Module, shape: Shape, dtype: Dtype): FlattenedOrders {
  return inMode(model, 'inference', () =>
    noGrad(() =>
      tidy(() => {
        using record = trace(model, [Tensor.hollow(shape, dtype)], { hollow: true });
        return followed(record);
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

/**
 * The orders of a model's parameters and buffers after flattened images.
 * @param input The shape of an input. Without it the model is tried with usual sizes: where two of them agree, any does.
 * @throws ReceptiveError ERR_UNSUPPORTED where the orders cannot be told, or not without an input.
 */
export function flattenedOrders(model: Module, input: Shape | undefined): FlattenedOrders {
  const layers = Array.from(model.namedModules(), ([, module]) => module);
  const first = layers.find((layer) => layer instanceof Embedding || layer instanceof ConvLayer);
  const dtype = first instanceof Embedding ? 'int32' : 'float32';
  if (input) return ordersFor(model, input, dtype);
  if (!first || !layers.some((layer) => layer instanceof ConvLayer) || !layers.some((layer) => layer instanceof Linear)) return new Map();
  const shapes =
    first instanceof ConvLayer
      ? usual[first.weight.rank - 2]!.map((size) => [1, ...new Array<number>(first.weight.rank - 2).fill(size), first.inChannels])
      : usual[1]!.map((size) => [1, size]);
  const seen: FlattenedOrders[] = [];
  for (const shape of shapes) {
    try {
      seen.push(ordersFor(model, shape, dtype));
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ERR_UNSUPPORTED') throw error; // not a matter of the size
      continue;
    }
    if (seen.length === 2) break;
  }
  const [a, b] = seen.map((orders) => JSON.stringify([...orders]));
  if (seen.length === 2 ? a === b : a === '[]') return seen[0]!;
  throw unclear('in what order an image is flattened depends on its size: give the shape of an input, such as { input: [1, 28, 28, 1] }');
}
