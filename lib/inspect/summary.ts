import { ReceptiveError } from '../errors';
import type { Module } from '../nn/module';
import type { Shape } from '../shape';
import { showShape, sizeOf } from '../shape';
import type { Tensor } from '../tensor';
import type { LayerCall, Trace } from '../trace';
import { Geometry } from './geometry';
import { layersOf, outlined, ownParameters, titleOf } from './layers';
import { type PerAxis, rowOf, showPerAxis } from './receptiveField';
import { grouped, Report, table } from './table';

/** A row of `summary`. */
export interface SummaryRow {
  /** The layer's dotted name; with #2, #3, … behind it where the layer runs again. */
  readonly name: string;
  readonly type: string;
  readonly outputShape: Shape;
  /** Numbers that the layer learns, not those of layers inside it. 0 where it runs again. */
  readonly parameters: number;
  /** Multiply-adds of its convolutions and matrix products on the whole batch. */
  readonly macs: number;
  /** Size of its units' receptive field in cells of the input; null where it does not depend on the input, or an operation does not say. */
  readonly receptiveField: PerAxis | null;
}

/** The sums of `summary`. */
export interface SummaryTotal {
  /** Numbers the model learns, each counted once, layers that did not run included. */
  readonly parameters: number;
  /** Those of them that do not require a gradient. */
  readonly frozen: number;
  /** Numbers the model keeps but does not learn. */
  readonly buffers: number;
  readonly macs: number;
}

/**
 * What a model is made of: for each layer its output, parameters, multiply-adds and receptive field, in the order in which layers end.
 * Nothing is computed, and the model stays as it is; it is taken in inference mode.
 *
 * @param input The shape of the input with its batch axis, [N,…,C], or an input: a Tensor, for a model that embeds int32 [N,L].
 * @throws RangeError where the model does not take such an input.
 * @example
 * console.log(String(inspect.summary(models.lenet5(), [1, 28, 28, 1]))); // a table; .total.parameters is 61706
 */
export function summary(model: Module, input: Shape | Tensor): Report<SummaryRow, SummaryTotal> {
  return outlined('summary', model, input, (trace) => {
    const geometry = new Geometry(trace);
    const rows = layersOf(trace).map(
      (call): SummaryRow => ({
        name: call.name,
        type: call.module.constructor.name,
        outputShape: call.output.shape,
        parameters: call.run === 1 ? count(ownParameters(call.module)) : 0,
        macs: macsOf(trace, call),
        receptiveField: fieldOf(geometry, call),
      }),
    );
    const parameters = model.parameters();
    const total: SummaryTotal = {
      parameters: count(parameters),
      frozen: count(parameters.filter(({ requiresGrad }) => !requiresGrad)),
      buffers: count(model.buffers()),
      macs: rows.reduce((sum, { macs }) => sum + macs, 0),
    };
    return new Report(rows, total, show);
  });
}

const count = (tensors: readonly Tensor[]): number => tensors.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

function macsOf({ nodes }: Trace, call: LayerCall): number {
  let macs = 0;
  for (const { op, inputs, attrs, output, call: place } of nodes) {
    if (place !== call || !op.macs) continue;
    const shapes = inputs.map((input) => input?.shape ?? []);
    macs += op.macs(shapes, attrs, output.shape);
  }
  return macs;
}

function fieldOf(geometry: Geometry, call: LayerCall): PerAxis | null {
  if (!call.output!.depends) return null;
  try {
    return rowOf(geometry, call).size;
  } catch (error) {
    if (error instanceof ReceptiveError && error.code === 'ERR_UNSUPPORTED') return null;
    throw error;
  }
}

function show(rows: readonly SummaryRow[], total: SummaryTotal): string {
  const columns = [
    { title: 'layer', show: ({ name }: SummaryRow) => titleOf(name) },
    { title: 'type', show: ({ type }: SummaryRow) => type },
    { title: 'output', show: ({ outputShape }: SummaryRow) => showShape(outputShape) },
    { title: 'parameters', show: ({ parameters }: SummaryRow) => grouped(parameters), right: true },
    { title: 'multiply-adds', show: ({ macs }: SummaryRow) => grouped(macs), right: true },
    {
      title: 'field',
      show: ({ receptiveField }: SummaryRow) => (receptiveField === null ? '' : showPerAxis(receptiveField)),
      right: true,
    },
  ];
  const notes = [
    ...(total.frozen > 0 ? [`${grouped(total.frozen)} of the parameters are frozen`] : []),
    ...(total.buffers > 0 ? [`${grouped(total.buffers)} numbers in buffers are not learned`] : []),
  ];
  const body = table(columns, rows, ['total', '', '', grouped(total.parameters), grouped(total.macs), '']);
  return [body, ...notes].join('\n');
}
