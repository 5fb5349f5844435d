import { noGrad } from '../../../autograd';
import { ReceptiveError, rangeError, typeError } from '../../../errors';
import { inMode } from '../../../nn/mode';
import { Module } from '../../../nn/module';
import { checkOptions, type OptionNames } from '../../../options';
import { refuseRandom } from '../../../random';
import { checkShape, type Shape } from '../../../shape';
import { Tensor } from '../../../tensor';
import { tidy } from '../../../tidy';
import { type Trace, trace, type Value } from '../../../trace';
import { writeAtomically, writeFully } from '../../file';
import type { HostData } from '../elementType';
import type { ValueInfo } from '../proto';
import { inOrder } from '../value';
import { encodeOnnx } from '../write';
import { elementwiseRows } from './elementwise';
import { channelsFirst, Exporter, typeOf } from './exporter';
import { layerRows } from './layers';
import { moveRows } from './moves';
import type { Rows } from './rows';

/** Options of `exportOnnx`. */
export interface ExportOptions {
  /** What the model is given: a shape, a tensor (whose values do not matter), or a list of them for a model of several inputs. */
  input: Shape | Tensor | readonly (Shape | Tensor)[];
  /** Whether inputs and outputs of 4 and 5 axes are [N,C,…] in the file, or channels last as here. Default 'nchw'. */
  layout?: 'nchw' | 'nhwc';
  /** Whether the file takes batches of any size, or of the input's. Default true. */
  dynamicBatch?: boolean;
}

const names: OptionNames<ExportOptions> = { input: true, layout: true, dynamicBatch: true };

/** The version of ONNX's operators that is written. */
const opset = 17;

const rows: Rows = { ...elementwiseRows, ...layerRows, ...moveRows };

/**
 * Writes a model, as it is for inference, as an ONNX file (opset 17). Inputs are called input, or input_0, …; the output is called output.
 * The file is replaced whole or not at all.
 * @param options.input A shape or tensor as the model takes it here, channels last.
 * @throws ReceptiveError (ERR_UNSUPPORTED) naming every operation that has no counterpart in ONNX, and where it ran; where forward makes
 * random numbers.
 * @example
 * await exportOnnx('lenet5.onnx', models.lenet5(), { input: [1, 28, 28, 1] });
 */
export async function exportOnnx(path: string, model: Module, options: ExportOptions): Promise<void> {
  if (typeof path !== 'string') throw typeError('exportOnnx', 'path', path, 'a string');
  const bytes = await onnxOf(model, options);
  await writeAtomically(path, (file) => writeFully(file, bytes));
}

/** @internal The bytes of the file. */
export async function onnxOf(model: Module, options: ExportOptions): Promise<Uint8Array> {
  if (!(model instanceof Module)) throw typeError('exportOnnx', 'model', model, 'a Module');
  checkOptions('exportOnnx', options, names);
  const { layout = 'nchw', dynamicBatch = true } = options;
  if (layout !== 'nchw' && layout !== 'nhwc') throw rangeError('exportOnnx', 'layout', layout, "'nchw' or 'nhwc'");
  const inputs = inputsOf(options.input, model);
  const traces: Trace[] = [];
  try {
    traces.push(outline(model, inputs, 0));
    if (dynamicBatch) traces.push(outlineOfAnother(model, inputs));
    return await write(traces[0]!, traces[1] ?? null, layout === 'nchw');
  } finally {
    for (const one of traces) one.dispose();
  }
}

interface Input {
  readonly shape: Shape;
  readonly dtype: Tensor['dtype'];
}

function inputsOf(input: ExportOptions['input'], model: Module): Input[] {
  const several = Array.isArray(input) && input.some((one) => typeof one !== 'number');
  const list = (several ? input : [input]) as readonly (Shape | Tensor)[];
  const dtype = model.parameters()[0]?.dtype ?? 'float32';
  return list.map((one) =>
    one instanceof Tensor ? { shape: one.shape, dtype: one.dtype } : { shape: checkShape('exportOnnx', one), dtype },
  );
}

/** What a model does with inputs of these shapes, their batches larger by so many. Nothing is computed. */
function outline(model: Module, inputs: readonly Input[], more: number): Trace {
  return noGrad(() =>
    inMode(model, 'inference', () => {
      let record: Trace | undefined;
      tidy(() => {
        const given = inputs.map(({ shape, dtype }) => Tensor.hollow([(shape[0] ?? 1) + more, ...shape.slice(1)], dtype));
        record = refuseRandom('exportOnnx', () => trace(model, given, { hollow: true }));
      });
      return record!;
    }),
  );
}

/** The same for a batch of another size. */
function outlineOfAnother(model: Module, inputs: readonly Input[]): Trace {
  try {
    return outline(model, inputs, 1);
  } catch (cause) {
    const { message } = cause as Error;
    throw new ReceptiveError(
      'ERR_UNSUPPORTED',
      `exportOnnx: the model does not take another batch size: export with dynamicBatch: false (${message})`,
      { cause },
    );
  }
}

async function write(record: Trace, other: Trace | null, channels: boolean): Promise<Uint8Array> {
  if (other && (other.nodes.length !== record.nodes.length || other.nodes.some(({ op }, i) => op.name !== record.nodes[i]!.op.name))) {
    throw new ReceptiveError(
      'ERR_UNSUPPORTED',
      'exportOnnx: the model works otherwise for another batch size: export with dynamicBatch: false',
    );
  }
  refuse(record);
  const to = new Exporter(record, await held(record), other);
  const order = (value: Value) =>
    channels && (value.shape.length === 4 || value.shape.length === 5) ? channelsFirst(value.shape.length) : inOrder(value.shape.length);
  const described = (value: Value, name: string, axes: readonly number[]): ValueInfo => ({
    name,
    type: typeOf(value.dtype),
    shape: axes.map((axis) => (to.varies(value, axis) ? (axis === 0 ? 'N' : '') : value.shape[axis]!)),
  });
  const given = record.inputs;
  const inputs = given.map((value, i) => {
    const name = to.reserve(given.length === 1 ? 'input' : `input_${i}`);
    to.set(value, name, order(value));
    return described(value, name, order(value));
  });
  const output = record.whole.output;
  if (!output) throw new ReceptiveError('ERR_UNSUPPORTED', 'exportOnnx: the model gives no tensor');
  const last = to.reserve('output');
  for (const node of record.nodes) {
    to.enter(node.call.name);
    rows[node.op.name]!(to, node);
  }
  to.enter('');
  const result = to.as(output, order(output));
  to.nodes.push({ name: last, operator: 'Identity', domain: '', inputs: [result], outputs: [last], attributes: new Map() });
  const { nodes, initializers } = to;
  return encodeOnnx({
    producer: 'receptive',
    opset,
    nodes,
    initializers,
    inputs,
    outputs: [described(output, last, order(output))],
    metadata: new Map(),
  });
}

/** Throws where operations have no row. */
function refuse({ nodes }: Trace): void {
  const refused = new Map<string, Set<string>>();
  for (const { op, call } of nodes) {
    if (Object.hasOwn(rows, op.name)) continue;
    refused.set(op.name, (refused.get(op.name) ?? new Set()).add(call.name || '(model)'));
  }
  if (refused.size === 0) return;
  const list = [...refused].map(([name, places]) => `${name} (${[...places].join(', ')})`);
  throw new ReceptiveError('ERR_UNSUPPORTED', `exportOnnx: ONNX has no counterpart of ${list.join('; ')}`);
}

/** What a model holds: the values of parameters, buffers and constants. */
async function held({ values }: Trace): Promise<Map<Value, HostData>> {
  const data = new Map<Value, HostData>();
  for (const value of values) {
    if (value.origin === 'input' || value.origin === 'operation') continue;
    if (value.tensor.storage.hollow) continue;
    data.set(value, await value.tensor.data());
  }
  return data;
}
