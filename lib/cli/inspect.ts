import { resolve } from 'node:path';
import type { Command } from 'commander';
import { zeros } from '../create';
import { rangeError } from '../errors';
import { checkWritable, writeAtomically, writeFully } from '../formats/file';
import { drawReceptiveField, parameters, receptiveField, summary } from '../inspect';
import { shape } from './arguments';
import { openModel } from './model-file';
import { createOutput, emphasis } from './output';

interface InspectOptions {
  input?: number[];
  draw?: string;
  json: boolean;
}

export function addInspect(program: Command): void {
  program
    .command('inspect')
    .description('show what a saved network is made of, and what its units see')
    .argument('<model>', 'a file that "receptive train" saved')
    .option('--input <shape>', 'shape of the input, the batch first, such as 1,28,28,1 (default: that of the task)', shape)
    .option('--draw <file>', 'also draw the receptive fields, as SVG')
    .option('--json', 'one JSON object', false)
    .action(inspect);
}

async function inspect(path: string, options: InspectOptions): Promise<void> {
  const output = createOutput(options.json);
  const draw = options.draw === undefined ? undefined : resolve(options.draw);
  if (draw) await checkWritable(draw);
  const { saved, task } = await openModel(path);
  const { model, description } = saved;
  const usual = task.input?.(description);
  const size = options.input ?? usual?.shape;
  if (!size) throw rangeError('inspect', '--input', size, `a shape, which a network for ${description.task} does not have by itself`);
  const input = usual?.dtype === 'int32' ? zeros(size, { dtype: 'int32' }) : size;
  const [layers, fields, sharing] = [summary(model, input), receptiveField(model, input), parameters(model, input)];
  if (draw) {
    const svg = Buffer.from(drawReceptiveField(model, input));
    await writeAtomically(draw, (file) => writeFully(file, svg));
  }

  output.line(`${emphasis(description.architecture)} for ${description.task}, on an input of shape [${size.join(',')}]\n`);
  output.line(`${layers}\n`);
  output.line(`${emphasis('Receptive fields')}: how many cells of the input a unit sees, and how far the next one's are\n`);
  output.line(`${fields}\n`);
  output.line(`${emphasis('Parameter sharing')}: what layers learn, and what they would learn if no place shared with others\n`);
  output.line(`${sharing}`);
  if (draw) output.line(`\ndrew the receptive fields in ${draw}`);
  output.event({
    model: path,
    task: description.task,
    architecture: description.architecture,
    input: size,
    layers,
    total: layers.total,
    receptiveFields: fields,
    parameters: { layers: sharing, total: sharing.total },
  });
}
