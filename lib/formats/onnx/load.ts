import { ReceptiveError } from '../../errors';
import { Session } from '../../graph/session';
import { type ImportOptions, imported, type OnnxValueInfo } from './module';

/**
 * An ONNX model as a session, laid out and fused as `compile` does it. Images are given and come out as the file says, [N,C,H,W], unless
 * `layout: 'nhwc'` is asked for; 64-bit integers are given as int32 tensors or BigInt64Arrays, and come out as int32.
 * @param source A path, or the bytes of a file.
 * @param options As of `importOnnx`: the layout of images, and `dynamicBatch: true` for batches of any size of a file that says one.
 * @throws ReceptiveError (ERR_FILE) for a damaged file, (ERR_UNSUPPORTED) naming every operator that is not supported, or why batches of
 * other sizes cannot be taken.
 * @example
 * const session = await loadOnnx('resnet18.onnx', { layout: 'nhwc' });
 * const { output } = await session.run({ input: { data: pixels, shape: [1, 224, 224, 3] } });
 */
export async function loadOnnx(source: string | Uint8Array, options: ImportOptions = {}): Promise<Session> {
  const model = await imported('loadOnnx', source, options);
  try {
    return new Session({
      operation: 'loadOnnx',
      name: typeof source === 'string' ? source : 'ONNX',
      model,
      owned: true,
      hidden: true,
      inputs: model.inputs.map(described),
      otherBatches: { length: model.fixedBatch, how: 'load it with dynamicBatch: true' },
      outputs: model.outputs.map(({ name, shape, dtype }) => (shape ? { name, shape, dtype } : { name })),
      run: (inputs) => model.run(inputs),
    });
  } catch (error) {
    model.dispose();
    throw error;
  }
}

function described({ name, shape, dtype }: OnnxValueInfo) {
  if (!shape)
    throw new ReceptiveError('ERR_UNSUPPORTED', `loadOnnx: the file does not say how many axes input ${JSON.stringify(name)} has`);
  return { name, shape, dtype };
}
