import { ReceptiveError } from '../../errors';
import { fileError } from '../file';
import { operatorNamed } from './operators';
import { constantOf } from './operators/create';
import { Attributes, type Operator } from './operators/operator';
import type { OnnxModel, OnnxNode } from './read';

// A graph's nodes as they are run, once all of their operators are found to be supported.

/** The oldest and the newest version of ONNX's operators that are known. */
const opsets = { oldest: 6, newest: 21 } as const;

/** A node that is ready to run. */
export interface Step {
  /** Values that are read here for the last time, or never. */
  readonly last: readonly string[];
  readonly node: OnnxNode;
  readonly operator: Operator;
  readonly attributes: Attributes;
}

/** Steps that know which values are not read behind them. */
export function withLastUses(steps: readonly Step[], { outputs }: OnnxModel): Step[] {
  const read = new Set(outputs.map(({ name }) => name));
  return steps
    .toReversed()
    .map((step) => {
      const last = [...new Set([...step.node.inputs, ...step.node.outputs])].filter((name) => name !== '' && !read.has(name));
      for (const name of step.node.inputs) read.add(name);
      return { ...step, last };
    })
    .reverse();
}

/** The same model with what Constant nodes hold as initialisers: some exporters keep weights there. */
export function withoutConstants(model: OnnxModel): OnnxModel {
  const initializers = new Map(model.initializers);
  const nodes = model.nodes.filter((node) => {
    const held = node.domain === '' && node.operator === 'Constant' && node.outputs[0] ? constantOf(node) : null;
    if (held) initializers.set(node.outputs[0]!, held);
    return held === null;
  });
  return { ...model, nodes, initializers };
}

/** The steps of a model, all of whose operators are supported. */
export function stepsOf({ source, opset, nodes }: OnnxModel): Step[] {
  const refused = new Map<string, string[]>();
  const refuse = (what: string, node: OnnxNode): void => void refused.set(what, [...(refused.get(what) ?? []), node.name]);
  const steps: Step[] = [];
  for (const node of nodes) {
    const operator = node.domain === '' ? operatorNamed(node.operator) : undefined;
    const attributes = new Attributes(node);
    if (!operator) {
      refuse(node.domain === '' ? node.operator : `${node.domain}.${node.operator}`, node);
      continue;
    }
    let reason: string | null;
    try {
      reason = operator.unsupported?.(attributes, opset, node) ?? null;
    } catch (cause) {
      throw fileError(source, `node ${JSON.stringify(node.name)} (${node.operator}): ${(cause as Error).message}`, cause);
    }
    if (reason === null && opset < operator.since[0]!) reason = `of opset ${opset}`;
    if (reason !== null) refuse(`${node.operator} ${reason}`, node);
    else steps.push({ node, operator, attributes, last: [] });
  }
  if (refused.size > 0) {
    const list = [...refused].map(
      ([what, at]) => `${what} (${at.length > 8 ? `${at.slice(0, 8).join(', ')} and ${at.length - 8} more` : at.join(', ')})`,
    );
    throw new ReceptiveError('ERR_UNSUPPORTED', `${source}: not supported: ${list.join('; ')}`);
  }
  if (opset > opsets.newest) {
    throw new ReceptiveError('ERR_UNSUPPORTED', `${source}: uses opset ${opset}, known are ${opsets.oldest} to ${opsets.newest}`);
  }
  return steps;
}
