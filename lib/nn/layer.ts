import { zeros } from '../create';
import { rangeError, show } from '../errors';
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

/** A layer's weight and its bias of n numbers, both spread evenly over ±1/√(fan in). */
export function weightAndBias(shape: readonly number[], n: number, withBias: boolean): [weight: Parameter, bias: Parameter | null] {
  return tidy(() => {
    const weight = new Parameter(init.kaimingUniform(zeros(shape), { slope: Math.sqrt(5) }));
    const bound = 1 / Math.sqrt(init.fans(weight).in);
    return [weight, withBias ? new Parameter(init.uniform(zeros([n]), -bound, bound)) : null];
  });
}
