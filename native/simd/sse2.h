// Vec for SSE2, which every x86-64 has: 4 floats, 16 registers, no fused multiply-add, tails through a small buffer.
#pragma once
#include <emmintrin.h>

namespace receptive::RECEPTIVE_ISA {

struct Vec {
  static constexpr int width = 4;
  static constexpr int registers = 16;
  static constexpr bool masks = false;
  __m128 v;
};
struct Mask {
  __m128 m;
};
struct Order {
  int32_t lane[4];
};

RECEPTIVE_INLINE Vec zero() { return {_mm_setzero_ps()}; }
RECEPTIVE_INLINE Vec broadcast(float x) { return {_mm_set1_ps(x)}; }
RECEPTIVE_INLINE Vec load(const float* p) { return {_mm_loadu_ps(p)}; }
RECEPTIVE_INLINE Vec load(const float* p, int n) {
  switch (n) {
    case 0: return zero();
    case 1: return {_mm_load_ss(p)};
    case 2: return {_mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)))};
    case 3: return {_mm_movelh_ps(_mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))), _mm_load_ss(p + 2))};
    default: return load(p);
  }
}
RECEPTIVE_INLINE void store(float* p, Vec a) { _mm_storeu_ps(p, a.v); }
RECEPTIVE_INLINE void store(float* p, Vec a, int n) {
  switch (n) {
    case 0: return;
    case 1: return _mm_store_ss(p, a.v);
    case 2: return _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_castps_si128(a.v));
    case 3: _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_castps_si128(a.v)); return _mm_store_ss(p + 2, _mm_movehl_ps(a.v, a.v));
    default: return store(p, a);
  }
}
RECEPTIVE_INLINE void store_far(float* p, Vec a) { _mm_stream_ps(p, a.v); }
RECEPTIVE_INLINE void end_far() { _mm_sfence(); }
RECEPTIVE_INLINE void prefetch(const float* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T1); }
RECEPTIVE_INLINE Vec load_u8(const uint8_t* p) {
  int32_t bytes;
  memcpy(&bytes, p, sizeof bytes);
  const __m128i none = _mm_setzero_si128();
  const __m128i words = _mm_unpacklo_epi8(_mm_cvtsi32_si128(bytes), none);
  return {_mm_cvtepi32_ps(_mm_unpacklo_epi16(words, none))};
}
RECEPTIVE_INLINE Vec load_u8(const uint8_t* p, int n) {
  uint8_t bytes[4] = {};
  for (int i = 0; i < n; ++i) bytes[i] = p[i];
  return load_u8(bytes);
}
RECEPTIVE_INLINE void store_u8(uint8_t* p, Vec a, int n) {
  const __m128i words = _mm_cvtps_epi32(a.v), halves = _mm_packs_epi32(words, words);
  const int32_t bytes = _mm_cvtsi128_si32(_mm_packus_epi16(halves, halves));
  if (n == 4) {
    memcpy(p, &bytes, 4);
  } else {
    for (int i = 0; i < n; ++i) p[i] = static_cast<uint8_t>(bytes >> 8 * i);
  }
}
RECEPTIVE_INLINE void store_i32(int32_t* p, Vec a, int n) {
  int32_t words[4];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(words), _mm_cvtps_epi32(a.v));
  if (n == 4) {
    memcpy(p, words, sizeof words);
  } else {
    for (int i = 0; i < n; ++i) p[i] = words[i];
  }
}

RECEPTIVE_INLINE Vec operator+(Vec a, Vec b) { return {_mm_add_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec operator-(Vec a, Vec b) { return {_mm_sub_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec operator*(Vec a, Vec b) { return {_mm_mul_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec operator/(Vec a, Vec b) { return {_mm_div_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm_add_ps(_mm_mul_ps(a.v, b.v), c.v)}; }
RECEPTIVE_INLINE Vec max(Vec a, Vec b) { return {_mm_max_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec min(Vec a, Vec b) { return {_mm_min_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec sqrt(Vec a) { return {_mm_sqrt_ps(a.v)}; }
RECEPTIVE_INLINE Vec abs(Vec a) { return {_mm_andnot_ps(_mm_set1_ps(-0.0f), a.v)}; }
RECEPTIVE_INLINE Vec copy_sign(Vec a, Vec sign) { return {_mm_or_ps(abs(a).v, _mm_and_ps(_mm_set1_ps(-0.0f), sign.v))}; }

RECEPTIVE_INLINE Mask operator<(Vec a, Vec b) { return {_mm_cmplt_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Mask operator>(Vec a, Vec b) { return {_mm_cmpgt_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Mask operator==(Vec a, Vec b) { return {_mm_cmpeq_ps(a.v, b.v)}; }
RECEPTIVE_INLINE Vec select(Mask m, Vec a, Vec b) { return {_mm_or_ps(_mm_and_ps(m.m, a.v), _mm_andnot_ps(m.m, b.v))}; }

// SSE2 cannot: through memory.
RECEPTIVE_INLINE Order order_of(const int32_t* p, int shift) { return {{p[0] + shift, p[1] + shift, p[2] + shift, p[3] + shift}}; }
RECEPTIVE_INLINE Vec permute(Vec a, const Order& order) {
  float lanes[4];
  store(lanes, a);
  return {_mm_setr_ps(lanes[order.lane[0]], lanes[order.lane[1]], lanes[order.lane[2]], lanes[order.lane[3]])};
}

RECEPTIVE_INLINE float reduce_add(Vec a) {
  const __m128 s = _mm_add_ps(a.v, _mm_movehl_ps(a.v, a.v));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_shuffle_ps(s, s, 1)));
}
RECEPTIVE_INLINE float reduce_max(Vec a) {
  const __m128 s = _mm_max_ps(a.v, _mm_movehl_ps(a.v, a.v));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_shuffle_ps(s, s, 1)));
}

RECEPTIVE_INLINE Vec round_to_int(Vec a) { return {_mm_cvtepi32_ps(_mm_cvtps_epi32(a.v))}; }
RECEPTIVE_INLINE Vec exp2_of(Vec n) {
  const __m128i biased = _mm_add_epi32(_mm_cvtps_epi32(n.v), _mm_set1_epi32(127));
  return {_mm_castsi128_ps(_mm_slli_epi32(biased, 23))};
}
// a = mantissa * 2^exponent, mantissa in [0.5, 1), for positive normal a.
RECEPTIVE_INLINE Vec mantissa_of(Vec a) {
  const __m128i bits = _mm_and_si128(_mm_castps_si128(a.v), _mm_set1_epi32(0x007fffff));
  return {_mm_castsi128_ps(_mm_or_si128(bits, _mm_set1_epi32(0x3f000000)))};
}
RECEPTIVE_INLINE Vec exponent_of(Vec a) {
  const __m128i biased = _mm_srli_epi32(_mm_castps_si128(a.v), 23);
  return {_mm_cvtepi32_ps(_mm_sub_epi32(biased, _mm_set1_epi32(126)))};
}

}  // namespace receptive::RECEPTIVE_ISA
