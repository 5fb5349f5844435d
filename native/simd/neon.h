// Vec for NEON (AArch64): 4 floats, 32 registers, tails through a small buffer.
#pragma once
#include <arm_neon.h>
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#endif

namespace receptive::RECEPTIVE_ISA {

struct Vec {
  static constexpr int width = 4;
  static constexpr int registers = 32;
  static constexpr bool masks = false;
  float32x4_t v;
};
struct Mask {
  uint32x4_t m;
};
struct Order {
  uint8x16_t v;  // of bytes
};

RECEPTIVE_INLINE Vec zero() { return {vdupq_n_f32(0.0f)}; }
RECEPTIVE_INLINE Vec broadcast(float x) { return {vdupq_n_f32(x)}; }
RECEPTIVE_INLINE Vec load(const float* p) { return {vld1q_f32(p)}; }
RECEPTIVE_INLINE Vec load(const float* p, int n) {
  const float32x4_t none = vdupq_n_f32(0.0f);
  switch (n) {
    case 0: return {none};
    case 1: return {vld1q_lane_f32(p, none, 0)};
    case 2: return {vcombine_f32(vld1_f32(p), vdup_n_f32(0.0f))};
    case 3: return {vld1q_lane_f32(p + 2, vcombine_f32(vld1_f32(p), vdup_n_f32(0.0f)), 2)};
    default: return load(p);
  }
}
RECEPTIVE_INLINE void store(float* p, Vec a) { vst1q_f32(p, a.v); }
RECEPTIVE_INLINE void store(float* p, Vec a, int n) {
  switch (n) {
    case 0: return;
    case 1: return vst1q_lane_f32(p, a.v, 0);
    case 2: return vst1_f32(p, vget_low_f32(a.v));
    case 3: vst1_f32(p, vget_low_f32(a.v)); return vst1q_lane_f32(p + 2, a.v, 2);
    default: return store(p, a);
  }
}
RECEPTIVE_INLINE void store_far(float* p, Vec a) { store(p, a); }
RECEPTIVE_INLINE void end_far() {}
#if defined(_MSC_VER) && !defined(__clang__)
RECEPTIVE_INLINE void prefetch(const float* p) { __prefetch(p); }
#else
RECEPTIVE_INLINE void prefetch(const float* p) { __builtin_prefetch(p); }
#endif
RECEPTIVE_INLINE Vec load_u8(const uint8_t* p) {
  uint32_t bytes;
  memcpy(&bytes, p, sizeof bytes);
  const uint16x8_t words = vmovl_u8(vcreate_u8(bytes));
  return {vcvtq_f32_u32(vmovl_u16(vget_low_u16(words)))};
}
RECEPTIVE_INLINE Vec load_u8(const uint8_t* p, int n) {
  uint8_t bytes[4] = {};
  for (int i = 0; i < n; ++i) bytes[i] = p[i];
  return load_u8(bytes);
}
RECEPTIVE_INLINE void store_u8(uint8_t* p, Vec a, int n) {
  const uint16x4_t halves = vmovn_u32(vcvtq_u32_f32(a.v));
  const uint32_t bytes = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(halves, halves))), 0);
  if (n == 4) {
    memcpy(p, &bytes, 4);
  } else {
    for (int i = 0; i < n; ++i) p[i] = static_cast<uint8_t>(bytes >> 8 * i);
  }
}
RECEPTIVE_INLINE void store_i32(int32_t* p, Vec a, int n) {
  int32_t words[4];
  vst1q_s32(words, vcvtnq_s32_f32(a.v));
  if (n == 4) {
    memcpy(p, words, sizeof words);
  } else {
    for (int i = 0; i < n; ++i) p[i] = words[i];
  }
}

RECEPTIVE_INLINE Vec operator+(Vec a, Vec b) { return {vaddq_f32(a.v, b.v)}; }
RECEPTIVE_INLINE Vec operator-(Vec a, Vec b) { return {vsubq_f32(a.v, b.v)}; }
RECEPTIVE_INLINE Vec operator*(Vec a, Vec b) { return {vmulq_f32(a.v, b.v)}; }
RECEPTIVE_INLINE Vec operator/(Vec a, Vec b) { return {vdivq_f32(a.v, b.v)}; }
RECEPTIVE_INLINE Vec fma(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.v, a.v, b.v)}; }

RECEPTIVE_INLINE Mask operator<(Vec a, Vec b) { return {vcltq_f32(a.v, b.v)}; }
RECEPTIVE_INLINE Mask operator>(Vec a, Vec b) { return {vcgtq_f32(a.v, b.v)}; }
RECEPTIVE_INLINE Mask operator==(Vec a, Vec b) { return {vceqq_f32(a.v, b.v)}; }
RECEPTIVE_INLINE Vec select(Mask m, Vec a, Vec b) { return {vbslq_f32(m.m, a.v, b.v)}; }

// The second operand where either is NaN, as x86's maxps and minps: the same bits on every machine.
RECEPTIVE_INLINE Vec max(Vec a, Vec b) { return select(a > b, a, b); }
RECEPTIVE_INLINE Vec min(Vec a, Vec b) { return select(a < b, a, b); }
RECEPTIVE_INLINE Vec sqrt(Vec a) { return {vsqrtq_f32(a.v)}; }
RECEPTIVE_INLINE Vec abs(Vec a) { return {vabsq_f32(a.v)}; }
RECEPTIVE_INLINE Vec copy_sign(Vec a, Vec sign) { return {vbslq_f32(vdupq_n_u32(0x80000000u), sign.v, a.v)}; }

RECEPTIVE_INLINE Order order_of(const int32_t* p, int shift) {
  const uint32x4_t lanes = vreinterpretq_u32_s32(vaddq_s32(vld1q_s32(p), vdupq_n_s32(shift)));
  return {vreinterpretq_u8_u32(vmlaq_n_u32(vdupq_n_u32(0x03020100), lanes, 0x04040404))};
}
RECEPTIVE_INLINE Vec permute(Vec a, Order order) { return {vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(a.v), order.v))}; }

RECEPTIVE_INLINE float reduce_add(Vec a) { return vaddvq_f32(a.v); }
RECEPTIVE_INLINE float reduce_max(Vec a) { return vmaxvq_f32(a.v); }

RECEPTIVE_INLINE Vec round_to_int(Vec a) { return {vrndnq_f32(a.v)}; }
RECEPTIVE_INLINE Vec exp2_of(Vec n) {
  const int32x4_t biased = vaddq_s32(vcvtnq_s32_f32(n.v), vdupq_n_s32(127));
  return {vreinterpretq_f32_s32(vshlq_n_s32(biased, 23))};
}
// a = mantissa * 2^exponent, mantissa in [0.5, 1), for positive normal a.
RECEPTIVE_INLINE Vec mantissa_of(Vec a) {
  const int32x4_t bits = vandq_s32(vreinterpretq_s32_f32(a.v), vdupq_n_s32(0x007fffff));
  return {vreinterpretq_f32_s32(vorrq_s32(bits, vdupq_n_s32(0x3f000000)))};
}
RECEPTIVE_INLINE Vec exponent_of(Vec a) {
  const int32x4_t biased = vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_f32(a.v), 23));
  return {vcvtq_f32_s32(vsubq_s32(biased, vdupq_n_s32(126)))};
}

}  // namespace receptive::RECEPTIVE_ISA
