// Numbers of half precision, IEEE 754 binary16 and the upper half of a float32 (bfloat16).

const scratch = new DataView(new ArrayBuffer(4));

/** The value of the IEEE 754 half-precision number of these bits. */
export function fromHalf(half: number): number {
  const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
  const magnitude =
    exponent === 31 ? (fraction ? NaN : Infinity) : exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return half >> 15 ? -magnitude : magnitude;
}

/** The bits of the half-precision number nearest to a value, halves to even. */
export function toHalf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude >= 65520) return sign | 0x7c00;
  const exponent = Math.max(Math.floor(Math.log2(magnitude)), -14);
  // Scaled so that neighbouring halves are one apart; a carry into the exponent comes out right.
  const steps = evenly(magnitude * 2 ** (10 - (magnitude < 2 ** -14 ? -14 : exponent)));
  return sign | (magnitude < 2 ** -14 ? steps : ((exponent + 15) << 10) + (steps - 1024));
}

/** The nearest integer, halves to even. */
export function evenly(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** The value of the bfloat16 number of these bits. */
export function fromBfloat(bits: number): number {
  scratch.setUint32(0, bits * 0x10000);
  return scratch.getFloat32(0);
}

/** The bits of the bfloat16 number nearest to a value, halves to even. */
export function toBfloat(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) / 0x10000) & 0xffff;
}
