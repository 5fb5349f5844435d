import { extname, resolve } from 'node:path';
import type { Command } from 'commander';
import { ones, zeros } from '../create';
import { rangeError } from '../errors';
import { checkWritable } from '../formats/file';
import { exportOnnx, importOnnx, readOnnx } from '../formats/onnx';
import { readSafetensors, save } from '../formats/safetensors';
import { showShape } from '../shape';
import { shape } from './arguments';
import { openModel } from './model-file';
import { createOutput, emphasis, type Output } from './output';

interface ConvertOptions {
  input?: number[];
  json: boolean;
}

export function addConvert(program: Command): void {
  program
    .command('convert')
    .description('turn a trained network into an ONNX file, or the weights of one into safetensors; or say what a file holds')
    .argument('<from>', '.safetensors or .onnx')
    .argument('[to]', 'a file of the other kind; without one, what <from> holds is told')
    .option('--input <shape>', 'shape of the input, the batch first, such as 1,28,28,1 (default: that of the task)', shape)
    .option('--json', 'one JSON object', false)
    .action(convert);
}

type Kind = '.onnx' | '.safetensors';

function kindOf(what: string, path: string): Kind {
  const kind = extname(path).toLowerCase();
  if (kind !== '.onnx' && kind !== '.safetensors') throw rangeError('convert', what, path, 'a file that ends in .onnx or .safetensors');
  return kind;
}

async function convert(from: string, to: string | undefined, options: ConvertOptions): Promise<void> {
  const output = createOutput(options.json);
  const kind = kindOf('<from>', from);
  if (to === undefined) return kind === '.onnx' ? tellOnnx(from, output) : tellSafetensors(from, output);
  const out = resolve(to);
  if (kindOf('<to>', to) === kind) throw rangeError('convert', '<to>', to, `a file of the other kind than ${from}`);
  await checkWritable(out);
  if (kind === '.onnx') {
    using model = await importOnnx(from);
    await save(out, model);
    output.line(`saved the ${Object.keys(model.stateDict()).length} tensors of ${from} in ${out}, laid out as the layers here have them`);
  } else {
    const { saved, task } = await openModel(from);
    const usual = task.input?.(saved.description);
    const size = options.input ?? usual?.shape;
    if (!size)
      throw rangeError('convert', '--input', size, `a shape, which a network for ${saved.description.task} does not have by itself`);
    using input = usual?.dtype === 'int32' ? ones(size, { dtype: 'int32' }) : zeros(size);
    await exportOnnx(out, saved.model, { input });
    output.line(
      `saved ${saved.description.architecture} for ${saved.description.task} in ${out}${size.length === 4 ? ': images are [N,C,H,W] there' : ''}`,
    );
  }
  output.event({ from, to: out });
}

async function tellOnnx(path: string, output: Output): Promise<void> {
  const { opset, nodes } = await readOnnx(path);
  const operators = new Map<string, number>();
  for (const { operator } of nodes) operators.set(operator, (operators.get(operator) ?? 0) + 1);
  const sorted = [...operators].sort(([a], [b]) => (a < b ? -1 : 1));
  output.line(`${emphasis(path)}: ONNX, opset ${opset}, ${nodes.length} nodes\n`);
  for (const [name, count] of sorted) output.line(`${String(count).padStart(6)}  ${name}`);
  using model = await importOnnx(path); // names every operator that cannot be run
  const show = (values: typeof model.inputs) =>
    values.map(({ name, dtype, shape: lengths }) => `${name} ${dtype} [${lengths ?? '…'}]`).join(', ');
  const weights = model.parameters().reduce((sum, { size }) => sum + size, 0);
  output.line(`\n${show(model.inputs)} -> ${show(model.outputs)}`);
  output.line(`${weights.toLocaleString('en-US')} parameters; every operator is supported`);
  output.event({ path, opset, operators: Object.fromEntries(sorted), inputs: model.inputs, outputs: model.outputs, parameters: weights });
}

async function tellSafetensors(path: string, output: Output): Promise<void> {
  const { tensors, metadata } = await readSafetensors(path);
  const list = Object.entries(tensors).map(([name, { shape: lengths, dtype, size }]) => ({ name, dtype, shape: lengths, size }));
  for (const tensor of Object.values(tensors)) tensor.dispose();
  const width = Math.max(0, ...list.map(({ name }) => name.length));
  output.line(`${emphasis(path)}: safetensors, ${list.length} tensors\n`);
  for (const { name, dtype, shape: lengths } of list) output.line(`  ${name.padEnd(width)}  ${dtype.padEnd(7)}  ${showShape(lengths)}`);
  output.line(`\n${list.reduce((sum, { size }) => sum + size, 0).toLocaleString('en-US')} numbers`);
  output.event({ path, tensors: list, metadata });
}
