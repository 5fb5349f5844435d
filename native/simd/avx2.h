// Vec for AVX2 + FMA: 8 floats, 16 registers, tails by masked loads and stores.
#pragma once
#include <immintrin.h>

namespace receptive::RECEPTIVE_ISA {

struct Vec {
  static constexpr int width = 8;
  static constexpr int registers = 16;
  static constexpr bool masks = false;
  __m256 v;
};
struct Mask {
  __m256 m;
};
struct Order {
  __m256i v;
};

RECEPTIVE_INLINE __m256i lanes(int n) { return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }

RECEPTIVE_INLINE Vec zero() { return {_mm256_setzero_ps()}; }
RECEPTIVE_INLINE Vec broadcast(float x) { return {_mm256_set1_ps(x)}; }
RECEPTIVE_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
RECEPTIVE_INLINE Vec load(const float* p, int n) { return {_mm256_maskload_ps(p, lanes(n))}; }
RECEPTIVE_INLINE void store(float* p, Vec a) { _mm256_storeu_ps(p, a.v); }
RECEPTIVE_INLINE void store(float* p, Vec a, int n) { _mm256_maskstore_ps(p, lanes(n), a.v); }
RECEPTIVE_INLINE void store_far(float* p, Vec a) { _mm256_stream_ps(p, a.v); }
RECEPTIVE_INLINE void end_far() { _mm_sfence(); }
RECEPTIVE_INLINE void prefetch(const float* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1); }
RECEPTIVE_INLINE Vec load_u8(const uint8_t* p) {
  return {_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))))};
}
RECEPTIVE_INLINE Vec load_u8(const uint8_t* p, int n) {
  uint8_t bytes[8] = {};
  for (int i = 0; i < n; ++i) bytes[i] = p[i];
  return load_u8(bytes);
}
RECEPTIVE_INLINE void store_u8(uint8_t* p, Vec a, int n) {
  const __m256i words = _mm256_cvtps_epi32(a.v);
  const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  uint8_t bytes[8];
  _mm_storel_epi64(reinterpret_cast<__m128i*>(bytes), _mm_packus_epi16(halves, halves));
  if (n == 8) {
    memcpy(p, bytes, 8);
  } else {
    for (int i = 0; i < n; ++i) p[i] = bytes[i];
  }
}
RECEPTIVE_INLINE void store_i32(int32_t* p, Vec a, int n) { _mm256_maskstore_epi32(p, lanes(n), _mm256_cvtps_epi32(a.v)); }

RECEPTIVE_INLINE Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
RECEPTIVE_INLINE Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.v)}; }
RECEPTIVE_INLINE Vec abs(Vec a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
RECEPTIVE_INLINE Vec copy_sign(Vec a, Vec sign) { return {_mm256_or_ps(abs(a).v, _mm256_and_ps(_mm256_set1_ps(-0.0f), sign.v))}; }

RECEPTIVE_INLINE Mask operator<(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
RECEPTIVE_INLINE Mask operator>(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_GT_OQ)}; }
RECEPTIVE_INLINE Mask operator==(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_EQ_OQ)}; }
RECEPTIVE_INLINE Vec select(Mask m, Vec a, Vec b) { return {_mm256_blendv_ps(b.v, a.v, m.m)}; }

RECEPTIVE_INLINE Order order_of(const int32_t* p, int shift) {
  return {_mm256_add_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), _mm256_set1_epi32(shift))};
}
RECEPTIVE_INLINE Vec permute(Vec a, Order order) { return {_mm256_permutevar8x32_ps(a.v, order.v)}; }

RECEPTIVE_INLINE float reduce_add(Vec a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
RECEPTIVE_INLINE float reduce_max(Vec a) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}

RECEPTIVE_INLINE Vec round_to_int(Vec a) { return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
RECEPTIVE_INLINE Vec exp2_of(Vec n) {
  const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(n.v), _mm256_set1_epi32(127));
  return {_mm256_castsi256_ps(_mm256_slli_epi32(biased, 23))};
}
// a = mantissa * 2^exponent, mantissa in [0.5, 1), for positive normal a.
RECEPTIVE_INLINE Vec mantissa_of(Vec a) {
  const __m256i bits = _mm256_and_si256(_mm256_castps_si256(a.v), _mm256_set1_epi32(0x007fffff));
  return {_mm256_castsi256_ps(_mm256_or_si256(bits, _mm256_set1_epi32(0x3f000000)))};
}
RECEPTIVE_INLINE Vec exponent_of(Vec a) {
  const __m256i biased = _mm256_srli_epi32(_mm256_castps_si256(a.v), 23);
  return {_mm256_cvtepi32_ps(_mm256_sub_epi32(biased, _mm256_set1_epi32(126)))};
}

}  // namespace receptive::RECEPTIVE_ISA
