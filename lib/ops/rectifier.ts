import { rangeError } from '../errors';
import { native } from '../native';
import { checkShapeOf, type Rectifier } from '../op';
import type { Shape } from '../shape';
import { Tensor } from '../tensor';

export type { Rectifier };

// What an operation can do in the pass that makes its results, at no cost in memory traffic.

/** What follows an operation in its own pass. */
export interface Finish {
  /** Added to the result, in the same pass: a tensor of its shape. Default: nothing. */
  add?: Tensor | null;
  /** What becomes of the sum, in the same pass. Default: it stays. */
  activation?: Rectifier | null;
}

const ends: Readonly<Record<Rectifier, readonly [low: number, high: number]>> = { relu: [0, Infinity], relu6: [0, 6] };
const everything = [-Infinity, Infinity] as const;

/** @internal The numbers the addon takes for it: what results are brought into. */
export const clip = (activation: Rectifier | null): readonly [low: number, high: number] => (activation ? ends[activation] : everything);

/** @internal The rectifier that follows an operation in its last pass, checked. */
export function finishing(operation: string, { activation = null }: Pick<Finish, 'activation'>): { activation: Rectifier | null } {
  if (activation !== null && !Object.hasOwn(ends, activation)) throw rangeError(operation, 'activation', activation, "'relu' or 'relu6'");
  return { activation };
}

/** @internal Throws unless what is to be added to a result of this shape has it too. */
export function checkSummand(operation: string, add: Tensor | null, shape: Shape): void {
  if (add) checkShapeOf(operation, 'what is added, as by a residual shortcut,', add, shape);
}

/** @internal What a rectifier whose output was y lets through of a gradient. */
export function gated(grad: Tensor, y: Tensor, activation: Rectifier): Tensor {
  const [relu, hardtanh] = [6, 9]; // hardtanh lets nothing through at its upper end, be it infinity
  const through = Tensor.empty(grad.shape, grad.dtype);
  native.ops.unary_backward(y.id, grad.id, through.id, ...(activation === 'relu' ? [relu] : [hardtanh, ...ends[activation]]));
  return through;
}

/** @internal The attributes of an operation with a rectifier behind it; null where it ends with one. */
export const rectified = <A extends { readonly activation: Rectifier | null }>(attrs: A, activation: Rectifier): A | null =>
  attrs.activation ? null : { ...attrs, activation };
