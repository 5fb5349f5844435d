/** An IDX file of bytes, as MNIST comes in. */
export function idx(dims: readonly number[], bytes: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * dims.length);
  header.writeUInt32BE(0x800 + dims.length);
  for (const [i, n] of dims.entries()) header.writeUInt32BE(n, 4 + 4 * i);
  return Buffer.concat([header, bytes]);
}
