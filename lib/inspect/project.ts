import { type Leaf, type Rule, sendBack } from '../autograd';
import { arange } from '../create';
import { ReceptiveError, rangeError } from '../errors';
import type { Module } from '../nn/module';
import { checkTensor, type Inputs, type Op } from '../op';
import { relu } from '../ops/activation';
import { argmax } from '../ops/argmax';
import { equal, mul } from '../ops/binary';
import { cast } from '../ops/cast';
import { pad } from '../ops/pad';
import { reshape } from '../ops/reshape';
import { slice } from '../ops/slice';
import { isIndex, type Shape } from '../shape';
import type { Tensor } from '../tensor';
import type { Trace, TraceNode, Value } from '../trace';
import type { Range } from './geometry';
import { checkModel, differentiable, findLayer, type LayerName, titleOf, traced } from './layers';
import { type Unit, unitBox } from './units';

/**
 * What of an image moves a unit of a layer: the unit's activation, all others being set to 0, sent back to the input. Convolutions and
 * other linear operations are gone through by their transposes with the same weights, without biases; pools put what comes where the
 * maximum was; rectifiers rectify what comes back, whatever they let through before. Zeiler and Fergus, Visualizing and understanding
 * convolutional networks (2014), whose deconvnet this is.
 *
 * The result has the shape of x and is the caller's to dispose of. The model stays as it is; it runs in inference mode.
 * @param x Images [N,…,C], each with its own projection.
 * @param layer Its dotted name, '' for the model's own output, or the module.
 * @param unit A channel (feature map) k, of which in each image the largest activation is taken; or a unit, [i, j, k].
 * @throws RangeError where there is no such layer or unit.
 * @throws ReceptiveError `ERR_UNSUPPORTED`, naming the operation, where one on the way is neither linear nor a rectifier.
 * @example
 * const pattern = inspect.project(model, image, 'features.3', 7); // [1, H, W, C]
 */
export function project(model: Module, x: Tensor, layer: LayerName, unit: number | Unit): Tensor {
  checkModel('project', model);
  checkTensor('project', 'x', x);
  const image = differentiable('project', x);
  try {
    return traced(model, image, false, (trace) => {
      const { output, result } = findLayer('project', trace, layer);
      checkWay(trace, output);
      const seed = typeof unit === 'number' ? largestOf(result!, unit) : unitOf(output, result!, unit);
      const { history } = output.tensor;
      const pattern = history && sendBack(history, seed, image.history as Leaf, deconvolution);
      if (!pattern)
        throw new ReceptiveError('ERR_AUTOGRAD', 'project: no path leads from this layer to the input (is the model run inside noGrad?)');
      return pattern;
    });
  } finally {
    image.dispose();
  }
}

/** Rectifiers rectify what comes back; everything else is gone through by its gradient rule. */
const deconvolution: Rule = (operation, grad, context) => {
  const { rectifies } = operation as Op<Inputs, unknown>;
  if (rectifies === true) return [relu(grad)];
  const bare = rectifies?.(context.attrs) ?? null;
  return bare ? operation.backward!(relu(grad), { ...context, attrs: bare }) : operation.backward!(grad, context);
};

/** Throws where an operation between the input and a value has no way back. */
function checkWay({ nodes }: Trace, to: Value): void {
  const wanted = new Set([to]);
  for (const node of nodes.toReversed()) {
    if (!wanted.has(node.output) || !node.output.depends) continue;
    if (!leadsBack(node)) {
      const where = node.call.name === '' ? '' : ` in layer ${titleOf(node.call.name)}`;
      throw new ReceptiveError(
        'ERR_UNSUPPORTED',
        `project: ${node.op.name}${where} has no way back, it is neither linear in the input nor a rectifier`,
      );
    }
    for (const input of node.inputs) if (input) wanted.add(input);
  }
}

function leadsBack({ op, attrs, inputs }: TraceNode): boolean {
  if (op.rectifies === true) return true;
  const linear = op.linear?.(attrs) ?? [];
  const depending = inputs.flatMap((input, i) => (input?.depends ? [i] : []));
  if (linear === 'all') return true;
  return linear === 'any' ? depending.length === 1 : depending.every((i) => linear.includes(i));
}

/** y, but 0 outside of one unit. */
function unitOf(output: Value, y: Tensor, unit: Unit): Tensor {
  const box = unitBox('project', output, unit);
  if (unit.length !== y.rank - 1) throw rangeError('project', 'unit', unit, 'a place and a channel, or a channel alone');
  return surrounded(inside(y, box), box, y.shape);
}

/** The part of y in a box. */
const inside = (y: Tensor, box: readonly Range[]): Tensor =>
  slice(
    y,
    box.map(([first]) => first),
    box.map(([, last]) => last + 1),
  );

/** A tensor of this shape that is `part` in a box and 0 elsewhere. */
const surrounded = (part: Tensor, box: readonly Range[], shape: Shape): Tensor =>
  pad(
    part,
    box.map(([first, last], axis) => [first, shape[axis]! - 1 - last]),
  );

/** y, but 0 outside of the largest element that each sample has in a channel, the first of equal ones. */
function largestOf(y: Tensor, channel: number): Tensor {
  const { shape } = y;
  const channels = shape.at(-1)!;
  if (!isIndex(channel) || channel >= channels) {
    throw rangeError('project', 'unit', channel, `a channel from 0 to ${channels - 1}, or a place and a channel`);
  }
  const box = shape.map((n, axis): Range => (axis === shape.length - 1 ? [channel, channel] : [0, n - 1]));
  const map = reshape(inside(y, box), [shape[0]!, -1]);
  const places = arange(0, map.shape[1]!, 1, { dtype: 'int32' });
  const chosen = cast(equal(places, argmax(map, 1, { keepDims: true })), y.dtype);
  return surrounded(reshape(mul(map, chosen), shape.with(-1, 1)), box, shape);
}
