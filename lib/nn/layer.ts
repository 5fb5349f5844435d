import { zeros } from '../create';
import { rangeError, show } from '../errors';
import type { Shape } from '../shape';
import { tidy } from '../tidy';
import * as init from './init';
import { Parameter } from './parameter';

// What layers share.

/** A constructor's arguments as they would be written: values, then options, of which undefined ones are left out. */
export function call(args: readonly unknown[], options: Readonly<Record<string, unknown>> = {}): string {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const named = given.map(([name, value]) => `${name}: ${show(value)}`);
  return [...args.map(show), ...(named.length > 0 ? [`{ ${named.join(', ')} }`] : [])].join(', ');
}

/** A number of channels or features. */
export function count(operation: string, what: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw rangeError(operation, what, value, 'a positive integer');
  return value;
}

/** A layer's weight and, where it has one, its bias, spread evenly over ±1/√fanIn: so many values each output is summed from. */
export function weightAndBias(weight: Shape, bias: Shape | null, fanIn: number): [weight: Parameter, bias: Parameter | null] {
  const bound = 1 / Math.sqrt(fanIn);
  const spread = (shape: Shape) => new Parameter(init.uniform(zeros(shape), -bound, bound));
  return tidy(() => [spread(weight), bias && spread(bias)]);
}
