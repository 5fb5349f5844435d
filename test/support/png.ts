import { deflateSync } from 'node:zlib';

// PNG files written from the specification (W3C PNG, third edition), so that what reads them is not tested with what wrote them.

export interface Png {
  width: number;
  height: number;
  /** 0 grey, 2 colour, 3 palette, 4 grey and alpha, 6 colour and alpha. */
  type: 0 | 2 | 3 | 4 | 6;
  depth: 1 | 2 | 4 | 8 | 16;
  /** Samples in row-major order; of a palette its indices. */
  samples: readonly number[];
  palette?: readonly (readonly [red: number, green: number, blue: number])[];
  /** How opaque the entries of the palette are. */
  alphas?: readonly number[];
}

const crcTable = Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

function chunk(name: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), data]);
  let crc = 0xffffffff;
  for (const byte of body) crc = crcTable[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE((crc ^ 0xffffffff) >>> 0);
  return Buffer.concat([length, body, check]);
}

export function png({ width, height, type, depth, samples, palette, alphas }: Png): Buffer {
  const perRow = samples.length / height;
  const rows = Array.from({ length: height }, (_, i) => {
    let bits = '';
    for (const sample of samples.slice(i * perRow, (i + 1) * perRow)) bits += sample.toString(2).padStart(depth, '0');
    const bytes = bits.padEnd(Math.ceil(bits.length / 8) * 8, '0').match(/.{8}/g)!;
    return Buffer.from([0, ...bytes.map((byte) => Number.parseInt(byte, 2))]); // each row after its filter, none
  });
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, type, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    ...(palette ? [chunk('PLTE', Buffer.from(palette.flat()))] : []),
    ...(alphas ? [chunk('tRNS', Buffer.from(alphas))] : []),
    chunk('IDAT', deflateSync(Buffer.concat(rows))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
