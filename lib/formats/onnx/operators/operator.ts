import { ReceptiveError, rangeError } from '../../../errors';
import type { HostTensor } from '../host';
import { numbersOf } from '../host';
import type { AttributeKind } from '../proto';
import type { OnnxNode } from '../read';
import type { Run, Value } from '../value';

/** Attributes of one node, read by name and kind. */
export class Attributes {
  constructor(readonly node: OnnxNode) {}

  has(name: string): boolean {
    return this.node.attributes.has(name);
  }

  #read<T>(name: string, kind: AttributeKind): T | undefined {
    const found = this.node.attributes.get(name);
    if (!found) return undefined;
    if (found.kind !== kind) throw new ReceptiveError('ERR_FILE', `attribute ${name} is of kind ${found.kind}, expected ${kind}`);
    return found.value as T;
  }

  float(name: string, otherwise: number): number {
    return this.#read<number>(name, 'float') ?? otherwise;
  }

  int(name: string, otherwise: number): number {
    const value = this.#read<bigint>(name, 'int');
    return value === undefined ? otherwise : Number(value);
  }

  flag(name: string, otherwise = false): boolean {
    return this.int(name, Number(otherwise)) !== 0;
  }

  text(name: string, otherwise: string): string {
    return this.#read<string>(name, 'string') ?? otherwise;
  }

  ints(name: string): number[] | undefined {
    return this.#read<bigint[]>(name, 'ints')?.map(Number);
  }

  floats(name: string): readonly number[] | undefined {
    return this.#read<readonly number[]>(name, 'floats');
  }

  tensor(name: string): HostTensor | undefined {
    return this.#read<HostTensor>(name, 'tensor');
  }
}

/** One run of a node. */
export interface Call {
  readonly run: Run;
  readonly node: OnnxNode;
  readonly opset: number;
  readonly attributes: Attributes;
  /** Null where left out. */
  readonly inputs: readonly (Value | null)[];
}

export interface Operator {
  /**
   * The versions since which its meaning is what it is, as far as `run` tells them apart: the first is the oldest it knows. Later versions
   * that only allow more types are not listed.
   */
  readonly since: readonly number[];
  /** Inputs that are weights: initialisers given there are parameters whatever their size. */
  readonly weights?: readonly number[];
  /** Inputs that are statistics: initialisers given there are buffers. */
  readonly statistics?: readonly number[];
  /** Inputs that say what to do, read on the host: initialisers given only there become neither. */
  readonly host?: readonly number[];
  /** How a weight of so many axes is best laid in memory. */
  arrange?(input: number, rank: number, attributes: Attributes): readonly number[] | null;
  /** Why a node cannot be run, seen from its attributes and its number of inputs and outputs; null where it can. */
  unsupported?(attributes: Attributes, opset: number, node: OnnxNode): string | null;
  run(call: Call): Value | readonly Value[];
}

export type Operators = Readonly<Record<string, Operator>>;

export function input({ inputs }: Call, i: number): Value {
  const value = inputs[i];
  if (!value) throw new ReceptiveError('ERR_FILE', `input ${i} is missing`);
  return value;
}

export const optional = ({ inputs }: Call, i: number): Value | null => inputs[i] ?? null;

/** The integers of an input on the host, or, in older versions, of an attribute. */
export function integers(call: Call, i: number, attribute?: string): number[] | undefined {
  const value = optional(call, i);
  if (value) return numbersOf(call.run.host(value));
  return attribute === undefined ? undefined : call.attributes.ints(attribute);
}

/** The only number of an input on the host. */
export function scalar(call: Call, i: number): number | undefined {
  const value = optional(call, i);
  if (!value) return undefined;
  const numbers = numbersOf(call.run.host(value));
  if (numbers.length !== 1) throw new ReceptiveError('ERR_SHAPE', `input ${i} has ${numbers.length} elements, expected one`);
  return numbers[0]!;
}

/** An axis from 0 on. */
export function axisOf(axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw rangeError('ONNX', 'axis', axis, rank === 0 ? 'none, the input is a scalar' : `an integer from ${-rank} to ${rank - 1}`);
  }
  return axis < 0 ? axis + rank : axis;
}

export const unsupported = (message: string): ReceptiveError => new ReceptiveError('ERR_UNSUPPORTED', message);
export const misshapen = (message: string): ReceptiveError => new ReceptiveError('ERR_SHAPE', message);
