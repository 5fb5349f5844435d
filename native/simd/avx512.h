// Vec for AVX-512 (F, BW, DQ, VL): 16 floats, 32 registers, tails by mask registers.
#pragma once
#include <immintrin.h>

namespace receptive::RECEPTIVE_ISA {

struct Vec {
  static constexpr int width = 16;
  static constexpr int registers = 32;
  static constexpr bool masks = true;
  __m512 v;
};
struct Mask {
  __mmask16 m;
};
struct Order {
  __m512i v;
};

RECEPTIVE_INLINE __mmask16 lanes(int n) { return static_cast<__mmask16>((1u << n) - 1u); }

RECEPTIVE_INLINE Vec zero() { return {_mm512_setzero_ps()}; }
RECEPTIVE_INLINE Vec broadcast(float x) { return {_mm512_set1_ps(x)}; }
RECEPTIVE_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
RECEPTIVE_INLINE Vec load(const float* p, int n) { return {_mm512_maskz_loadu_ps(lanes(n), p)}; }
RECEPTIVE_INLINE void store(float* p, Vec a) { _mm512_storeu_ps(p, a.v); }
RECEPTIVE_INLINE void store(float* p, Vec a, int n) { _mm512_mask_storeu_ps(p, lanes(n), a.v); }
RECEPTIVE_INLINE void store_far(float* p, Vec a) { _mm512_stream_ps(p, a.v); }
RECEPTIVE_INLINE void end_far() { _mm_sfence(); }
RECEPTIVE_INLINE void prefetch(const float* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1); }
RECEPTIVE_INLINE Vec load_u8(const uint8_t* p) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
}
RECEPTIVE_INLINE Vec load_u8(const uint8_t* p, int n) {
  return {_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(lanes(n), p)))};
}
RECEPTIVE_INLINE void store_u8(uint8_t* p, Vec a, int n) { _mm512_mask_cvtepi32_storeu_epi8(p, lanes(n), _mm512_cvtps_epi32(a.v)); }
RECEPTIVE_INLINE void store_i32(int32_t* p, Vec a, int n) { _mm512_mask_storeu_epi32(p, lanes(n), _mm512_cvtps_epi32(a.v)); }

RECEPTIVE_INLINE Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
RECEPTIVE_INLINE Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec sqrt(Vec a) { return {_mm512_sqrt_ps(a.v)}; }
RECEPTIVE_INLINE Vec abs(Vec a) { return {_mm512_abs_ps(a.v)}; }
RECEPTIVE_INLINE Vec copy_sign(Vec a, Vec sign) { return {_mm512_or_ps(_mm512_abs_ps(a.v), _mm512_and_ps(_mm512_set1_ps(-0.0f), sign.v))}; }

RECEPTIVE_INLINE Mask operator<(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
RECEPTIVE_INLINE Mask operator>(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
RECEPTIVE_INLINE Mask operator==(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ)}; }
RECEPTIVE_INLINE Vec select(Mask m, Vec a, Vec b) { return {_mm512_mask_blend_ps(m.m, b.v, a.v)}; }

RECEPTIVE_INLINE Order order_of(const int32_t* p, int shift) { return {_mm512_add_epi32(_mm512_loadu_si512(p), _mm512_set1_epi32(shift))}; }
RECEPTIVE_INLINE Vec permute(Vec a, Order order) { return {_mm512_permutexvar_ps(order.v, a.v)}; }

RECEPTIVE_INLINE float reduce_add(Vec a) { return _mm512_reduce_add_ps(a.v); }
RECEPTIVE_INLINE float reduce_max(Vec a) { return _mm512_reduce_max_ps(a.v); }

RECEPTIVE_INLINE Vec round_to_int(Vec a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
RECEPTIVE_INLINE Vec exp2_of(Vec n) {
  const __m512i biased = _mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127));
  return {_mm512_castsi512_ps(_mm512_slli_epi32(biased, 23))};
}
// a = mantissa * 2^exponent, mantissa in [0.5, 1), for positive normal a.
RECEPTIVE_INLINE Vec mantissa_of(Vec a) { return {_mm512_getmant_ps(a.v, _MM_MANT_NORM_p5_1, _MM_MANT_SIGN_src)}; }
RECEPTIVE_INLINE Vec exponent_of(Vec a) { return {_mm512_add_ps(_mm512_getexp_ps(a.v), _mm512_set1_ps(1.0f))}; }

}  // namespace receptive::RECEPTIVE_ISA
