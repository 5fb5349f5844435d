import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { TypedArray } from '../dtype';
import { readOnnx } from '../formats/onnx';
import { type Shape, sizeOf } from '../shape';

// onnxruntime-node, where the folder the command runs in has it: this package does not depend on it.

/** What of it is used. */
interface Runtime {
  readonly InferenceSession: { create(path: string, options: object): Promise<{ run(feeds: object): Promise<object> }> };
  readonly Tensor: new (type: string, data: ArrayBufferView, dims: readonly number[]) => object;
}

export interface Peer {
  readonly name: string;
  /** Milliseconds from the file to a session. */
  readonly load: number;
  /** What runs on an input of these shapes. */
  prepare(shapes: readonly Shape[]): () => Promise<void>;
}

/** Numbers from -0.5 to 0.5 where they are no integers, which may be places in a table, and are 1. */
export function filled<T extends TypedArray>(data: T): T {
  const isFloat = data instanceof Float32Array || data instanceof Float64Array;
  for (let i = 0; i < data.length; i++) data[i] = isFloat ? ((i * 7919) % 1009) / 1009 - 0.5 : 1;
  return data;
}

const arrays: Readonly<Record<string, (n: number) => ArrayBufferView>> = {
  float32: (n) => filled(new Float32Array(n)),
  float64: (n) => filled(new Float64Array(n)),
  int32: (n) => filled(new Int32Array(n)),
  uint8: (n) => filled(new Uint8Array(n)),
  int64: (n) => new BigInt64Array(n).fill(1n),
};

/** A model in onnxruntime-node, or a sentence why not. */
export async function openPeer(path: string, threads: number): Promise<Peer | string> {
  let runtime: Runtime;
  let version: string;
  try {
    const load = createRequire(join(process.cwd(), 'package.json'));
    const found = load.resolve('onnxruntime-node');
    runtime = load(found) as Runtime;
    const folder = found.slice(0, found.lastIndexOf('onnxruntime-node') + 'onnxruntime-node'.length);
    version = (load(join(folder, 'package.json')) as { version: string }).version;
  } catch (error) {
    return `onnxruntime-node was not found here: ${(error as Error).message.split('\n', 1)[0]}`;
  }
  const { inputs } = await readOnnx(path);
  const odd = inputs.find(({ type }) => !Object.hasOwn(arrays, type ?? ''));
  if (odd) return `onnxruntime-node is left out: input ${JSON.stringify(odd.name)} is ${odd.type}`;
  const began = performance.now();
  const session = await runtime.InferenceSession.create(path, { intraOpNumThreads: threads, interOpNumThreads: 1 });
  const load = performance.now() - began;
  const prepare = (shapes: readonly Shape[]) => {
    const feeds = inputs.map(({ name, type }, i) => {
      const whole = shapes[i]!;
      return [name, new runtime.Tensor(type!, arrays[type!]!(sizeOf(whole)), whole)] as const;
    });
    const given = Object.fromEntries(feeds);
    return async () => {
      await session.run(given);
    };
  };
  return { name: `onnxruntime-node ${version}`, load, prepare };
}
