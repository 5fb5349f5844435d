import { type Leaf, sendBack } from '../autograd';
import { ones, randn } from '../create';
import { ReceptiveError } from '../errors';
import type { Module } from '../nn/module';
import { pad } from '../ops/pad';
import { mean } from '../ops/reduce';
import { abs } from '../ops/unary';
import { checkShape, type Shape } from '../shape';
import { Tensor } from '../tensor';
import { tidy } from '../tidy';
import type { Value } from '../trace';
import { Geometry, placeAxes, type Range } from './geometry';
import { checkInput, checkModel, differentiable, findLayer, type LayerName, traced } from './layers';
import { centreOf, type Unit, unitBox } from './units';

/** An effective receptive field. */
export interface EffectiveField {
  /** Places of the input: [H, W]. */
  readonly shape: readonly number[];
  /** At each place, row by row, the mean of the absolute gradient over samples and channels. */
  readonly values: Float32Array;
  /** The side of a square (the edge of a cube, a length) that holds as many cells as have at least 4.55 % of the largest gradient. */
  readonly size: number;
  /** What the unit can depend on at all: the first and the last cell along each axis, as `unitField` gives it. */
  readonly field: readonly Range[];
}

/** Luo et al. count what is above 1 - 95.45 % of the value at the centre: within two standard deviations of a Gaussian. */
const leastShare = 1 - 0.9545;

/**
 * How much each cell of the input moves a unit of a layer, measured: the gradient of the unit with respect to the input, in inference
 * mode. It is largest in the middle of the receptive field and falls towards its edges. Luo et al., Understanding the effective receptive
 * field in deep convolutional neural networks (2016).
 *
 * Parameters get no gradients, and the model stays as it is.
 * @param input Inputs [N,…,C], over which the mean is taken; of a shape, that many of normally distributed values (see `manualSeed`).
 * @param layer Its dotted name, '' for the model's own output, or the module.
 * @param unit A place, [i, j], whose channels are added up; or a place and a channel, [i, j, k]. Default: the place in the middle.
 * @throws RangeError where there is no such layer or unit.
 * @throws ReceptiveError `ERR_AUTOGRAD` where no gradient reaches the input.
 * @example
 * const { size } = await inspect.effectiveReceptiveField(model, [32, 64, 64, 3], 'stage4');
 */
export async function effectiveReceptiveField(
  model: Module,
  input: Shape | Tensor,
  layer: LayerName,
  unit?: Unit,
): Promise<EffectiveField> {
  const operation = 'effectiveReceptiveField';
  checkModel(operation, model);
  const { measured, field } = tidy(() => {
    const x = input instanceof Tensor ? differentiable(operation, input) : samples(operation, model, input);
    return traced(model, x, false, (trace) => {
      const { output } = findLayer(operation, trace, layer);
      const units = unitBox(operation, output, unit ?? centreOf(output));
      const gradient = gradientOf(operation, output, units, x);
      const places = placeAxes(x.shape);
      const others = x.shape.flatMap((_, axis) => (places.includes(axis) ? [] : [axis]));
      return {
        measured: mean(abs(gradient), { axis: others }),
        field: new Geometry(trace).seen(output, units) ?? [],
      };
    });
  });
  try {
    const values = Float32Array.from(await measured.data());
    return { shape: measured.shape, values, size: effectiveSize(values, measured.rank), field };
  } finally {
    measured.dispose();
  }
}

function samples(operation: string, model: Module, input: unknown): Tensor {
  const shape = checkShape(operation, input);
  checkInput(operation, shape);
  return randn(shape, { dtype: model.parameters()[0]?.dtype ?? 'float32', requiresGrad: true });
}

/** The gradient of the sum of some units with respect to x. */
function gradientOf(operation: string, { shape, dtype, tensor: { history } }: Value, units: readonly Range[], x: Tensor): Tensor {
  const chosen = units.map(([first, last]) => last - first + 1);
  const around = units.map(([first, last], axis) => [first, shape[axis]! - 1 - last] as const);
  const seed = pad(ones(chosen, { dtype }), around);
  const gradient = history && sendBack(history, seed, x.history as Leaf);
  if (!gradient) {
    throw new ReceptiveError(
      'ERR_AUTOGRAD',
      `${operation}: no gradient reaches the input from this layer (is the model run inside noGrad?)`,
    );
  }
  return gradient;
}

function effectiveSize(values: Float32Array, rank: number): number {
  const largest = values.reduce((a, b) => Math.max(a, b), 0);
  const cells = values.reduce((n, value) => n + Number(value > 0 && value >= leastShare * largest), 0);
  return cells ** (1 / rank);
}
