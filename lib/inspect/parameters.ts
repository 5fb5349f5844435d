import type { Module } from '../nn/module';
import type { Parameter } from '../nn/parameter';
import { elementwise } from '../reach';
import { type Shape, showShape, sizeOf } from '../shape';
import type { Tensor } from '../tensor';
import type { Trace, TraceNode, Value } from '../trace';
import { layersOf, outlined, ownParameters, titleOf } from './layers';
import { grouped, Report, table } from './table';

/** A row of `parameters`. */
export interface ParametersRow {
  readonly name: string;
  readonly type: string;
  readonly outputShape: Shape;
  /** Numbers the layer learns, used at every place alike. */
  readonly shared: number;
  /** Numbers it would learn if each place had numbers of its own. */
  readonly unshared: number;
}

/** The sums of `parameters`. */
export interface ParametersTotal {
  readonly shared: number;
  readonly unshared: number;
}

/**
 * What parameter sharing saves: for each layer that learns, how many numbers it holds, and how many the same layer would hold if it did
 * not use them at every place alike. n kernels of kh·kw·M weights and a bias are n·(kh·kw·M + 1) numbers, on an output of h·w places
 * unshared h·w·n·(kh·kw·M + 1), which is what `nn.LocallyConnected2d` holds. LeCun, Generalization and network design strategies (1989).
 *
 * A layer has one row, however often it runs; unshared, each of its runs counts.
 * @param input The shape of the input with its batch axis, [N,…,C], or an input: a Tensor, for a model that embeds int32 [N,L].
 * @throws RangeError where the model does not take such an input.
 * @example
 * inspect.parameters(models.lenet5(), [1, 28, 28, 1])[0]; // { name: '0', …, shared: 156, unshared: 122304 }
 */
export function parameters(model: Module, input: Shape | Tensor): Report<ParametersRow, ParametersTotal> {
  return outlined('parameters', model, input, (trace) => {
    const unshared = unsharedSizes(trace);
    const counted = new Set<Parameter>();
    const rows = layersOf(trace).flatMap(({ name, module, run, output }): ParametersRow[] => {
      const own = run === 1 ? ownParameters(module).filter((parameter) => !counted.has(parameter)) : [];
      for (const parameter of own) counted.add(parameter);
      if (own.length === 0) return [];
      const sum = (size: (parameter: Parameter) => number) => own.reduce((total, parameter) => total + size(parameter), 0);
      return [
        {
          name,
          type: module.constructor.name,
          outputShape: output.shape,
          shared: sum(({ size }) => size),
          unshared: sum((parameter) => unshared.get(parameter) ?? parameter.size),
        },
      ];
    });
    const total = (key: 'shared' | 'unshared') => rows.reduce((sum, row) => sum + row[key], 0);
    return new Report(rows, { shared: total('shared'), unshared: total('unshared') }, show);
  });
}

/** What each parameter that an operation uses would be without sharing. */
function unsharedSizes({ nodes, inputs }: Trace): Map<Tensor, number> {
  const samples = inputs[0]!.shape[0]!;
  const sizes = new Map<Tensor, number>();
  for (const node of nodes) {
    if (!node.output.depends) continue; // what is made of parameters alone is made once
    for (const [i, input] of node.inputs.entries()) {
      if (input?.origin !== 'parameter') continue;
      sizes.set(input.tensor, (sizes.get(input.tensor) ?? 0) + copies(node, i, input) / samples);
    }
  }
  return sizes;
}

/** How many numbers a batch would need if none of a parameter's was used twice: a kernel's one a multiply-add, others' one an output. */
function copies({ op, inputs, attrs, output }: TraceNode, i: number, { shape }: Value): number {
  const shapes = inputs.map((input) => input?.shape ?? []);
  if (op.macs && i === 1) return op.macs(shapes, attrs, output.shape);
  // Of a table of embeddings each place would have its own, whole.
  const reaches = (op.reach?.(shapes, attrs, output.shape) ?? shapes.map((one) => elementwise(one, output.shape)))[i];
  const used = new Set(reaches?.flatMap((reach) => (reach ? [reach.axis] : [])));
  return sizeOf(shape) * sizeOf(output.shape.filter((_, axis) => !used.has(axis)));
}

function show(rows: readonly ParametersRow[], total: ParametersTotal): string {
  const times = ({ shared, unshared }: ParametersTotal) => (shared === 0 ? '' : `${grouped(Math.round((unshared / shared) * 10) / 10)} x`);
  const columns = [
    { title: 'layer', show: ({ name }: ParametersRow) => titleOf(name) },
    { title: 'type', show: ({ type }: ParametersRow) => type },
    { title: 'output', show: ({ outputShape }: ParametersRow) => showShape(outputShape) },
    { title: 'shared', show: ({ shared }: ParametersRow) => grouped(shared), right: true },
    { title: 'unshared', show: ({ unshared }: ParametersRow) => grouped(unshared), right: true },
    { title: '', show: times, right: true },
  ];
  return table(columns, rows, ['total', '', '', grouped(total.shared), grouped(total.unshared), times(total)]);
}
