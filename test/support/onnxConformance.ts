import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ReceptiveError, type Tensor, tensor, tidy } from '../../lib';
import { fromBfloat } from '../../lib/formats/half';
import { importOnnx, readOnnx } from '../../lib/formats/onnx';
import { dtypeFor } from '../../lib/formats/onnx/elementType';
import type { HostTensor } from '../../lib/formats/onnx/host';
import { readTensor } from '../../lib/formats/onnx/read';
import { upload } from '../../lib/formats/onnx/value';

// ONNX's own conformance tests, as Debian's libonnx-testdata installs them: a folder a model, with inputs and the outputs they give.

export const conformanceFolder = '/usr/share/libonnx-testdata/data';
export const suites = ['node', 'simple', 'pytorch-converted', 'pytorch-operator'] as const;
export const installed = existsSync(conformanceFolder);

export type Verdict = 'passed' | 'failed' | 'unsupported';

export interface Outcome {
  readonly name: string;
  readonly operators: readonly string[];
  readonly verdict: Verdict;
  readonly reason: string;
}

/** Folders whose data are not of the shape that their model declares. */
const contradictory = /^node\/test_castlike_(BFLOAT16_to_FLOAT|FLOAT_to_BFLOAT16)(_expanded)?$/;

export const folders = (): string[] =>
  suites
    .flatMap((suite) => readdirSync(join(conformanceFolder, suite)).map((name) => `${suite}/${name}`))
    .filter((name) => !contradictory.test(name))
    .sort();

/** The tolerances of onnx's own runner. */
const [relative, absolute] = [1e-3, 1e-7];
/** bfloat16 has eight bits, which the expected values were cut to. */
const coarse = 2 ** -7;

function compare(what: string, came: { tensor: Tensor; host: HostTensor | null }, expected: HostTensor): void {
  const shape = came.host?.shape ?? came.tensor.shape;
  if (JSON.stringify(shape) !== JSON.stringify(expected.shape))
    throw new Error(`${what} has shape [${shape}], expected [${expected.shape}]`);
  const values = (came.host?.data ?? came.tensor.dataSync()) as ArrayLike<number | bigint>;
  const wanted = expected.data as ArrayLike<number | bigint>;
  for (let i = 0; i < wanted.length; i++) {
    const [a, b] = [values[i]!, wanted[i]!];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    const exact = typeof b === 'bigint' || Number.isInteger(b) === false ? false : !expected.type.includes('float');
    const difference = Math.abs(Number(a) - Number(b));
    if ((exact || typeof b === 'bigint') && difference !== 0) throw new Error(`${what}[${i}] is ${a}, expected ${b}`);
    const tolerance = expected.type === 'bfloat16' ? coarse : relative;
    if (!(difference <= absolute + tolerance * Math.abs(Number(b)))) throw new Error(`${what}[${i}] is ${a}, expected ${b}`);
  }
}

/** A data set's inputs and outputs. Those of sequences and optionals are no tensors and throw. */
function dataSet(folder: string, kind: 'input' | 'output'): HostTensor[] {
  const files = readdirSync(folder).filter((name) => name.startsWith(`${kind}_`));
  return files.map((_, i) => readTensor(readFileSync(join(folder, `${kind}_${i}.pb`))));
}

/** The bits of bfloat16 numbers, which the data sets keep as uint16, as numbers. */
function asBfloat(host: HostTensor, declared: string): HostTensor {
  if (declared !== 'bfloat16' || host.type !== 'uint16') return host;
  return { type: 'bfloat16', shape: host.shape, data: Float32Array.from(host.data as Uint16Array, fromBfloat) };
}

/** How inputs are given: as users do, that is as tensors but for types that no tensor has; all as tensors; or all on the host, as constants. */
export type Given = 'as users do' | 'as tensors' | 'on the host';

function given(host: HostTensor, as: Given): Tensor | HostTensor {
  const dtype = dtypeFor(host.type);
  if (as === 'on the host') return host;
  if (as === 'as users do' && host.type !== dtype && host.type !== 'bool' && host.type !== 'float16') return host;
  return dtype === 'int32' || Array.isArray(host.data) ? upload(host) : tensor(host.data as Float32Array, host.shape);
}

/** Runs one folder. As tensors, integers of all types are int32. */
export async function runFolder(name: string, as: Given = 'as users do'): Promise<Outcome> {
  const folder = join(conformanceFolder, name);
  const path = join(folder, 'model.onnx');
  let operators: string[] = [];
  try {
    operators = [...new Set((await readOnnx(path)).nodes.map(({ domain, operator }) => (domain ? `${domain}.${operator}` : operator)))];
    const model = await importOnnx(path);
    try {
      const sets = readdirSync(folder).filter((entry) => entry.startsWith('test_data_set_'));
      if (sets.length === 0) throw new Error('has no data');
      for (const set of sets) {
        const [inputs, outputs] = [dataSet(join(folder, set), 'input'), dataSet(join(folder, set), 'output')];
        tidy(() => {
          const came = model.runValues(inputs.map((input, i) => given(asBfloat(input, model.inputs[i]!.type), as)));
          if (came.length !== outputs.length) throw new Error(`${came.length} outputs, expected ${outputs.length}`);
          for (const [i, output] of outputs.entries()) compare(`output ${i}`, came[i]!, asBfloat(output, model.outputs[i]!.type));
        });
      }
    } finally {
      model.dispose();
    }
    return { name, operators, verdict: 'passed', reason: '' };
  } catch (error) {
    const unsupported = error instanceof ReceptiveError && error.code === 'ERR_UNSUPPORTED';
    const reason = (error as Error).message.replace(`${path}: `, '');
    return { name, operators, verdict: unsupported ? 'unsupported' : 'failed', reason };
  }
}
