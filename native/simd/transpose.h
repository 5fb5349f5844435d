// A 4x4 block transposed, what packing a matrix the other way round is made of on every instruction set; and a matrix of such blocks.
#pragma once

#include "vec.h"

namespace receptive::RECEPTIVE_ISA {

RECEPTIVE_NOTHROW_BEGIN

// to[i * to_ld + j] = from[j * from_ld + i] for i, j < 4.
RECEPTIVE_INLINE void transpose4(const float* from, int64_t from_ld, float* to, int64_t to_ld) {
#if RECEPTIVE_ISA_NUMBER == RECEPTIVE_ISA_neon
  const float32x4_t r0 = vld1q_f32(from), r1 = vld1q_f32(from + from_ld), r2 = vld1q_f32(from + 2 * from_ld),
                    r3 = vld1q_f32(from + 3 * from_ld);
  const float32x4x2_t a = vtrnq_f32(r0, r1), b = vtrnq_f32(r2, r3);
  vst1q_f32(to, vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0])));
  vst1q_f32(to + to_ld, vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1])));
  vst1q_f32(to + 2 * to_ld, vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0])));
  vst1q_f32(to + 3 * to_ld, vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1])));
#else
  const __m128 r0 = _mm_loadu_ps(from), r1 = _mm_loadu_ps(from + from_ld), r2 = _mm_loadu_ps(from + 2 * from_ld),
               r3 = _mm_loadu_ps(from + 3 * from_ld);
  const __m128 a = _mm_unpacklo_ps(r0, r1), b = _mm_unpackhi_ps(r0, r1), c = _mm_unpacklo_ps(r2, r3), d = _mm_unpackhi_ps(r2, r3);
  _mm_storeu_ps(to, _mm_movelh_ps(a, c));
  _mm_storeu_ps(to + to_ld, _mm_movehl_ps(c, a));
  _mm_storeu_ps(to + 2 * to_ld, _mm_movelh_ps(b, d));
  _mm_storeu_ps(to + 3 * to_ld, _mm_movehl_ps(d, b));
#endif
}

// to[j * to_ld + i] = from[i * from_ld + j] for i < rows, j < cols.
RECEPTIVE_INLINE void transpose_matrix(const float* from, int64_t from_ld, int64_t rows, int64_t cols, float* to, int64_t to_ld) {
  constexpr int64_t kLine = 16;  // floats of a cache line: so many lines of `to` are written at a time, each of `from` is read at once
  for (int64_t begin = 0; begin < cols; begin += kLine) {
    const int64_t end = begin + kLine < cols ? begin + kLine : cols;
    for (int64_t i = 0; i < rows; i += 4) {
      for (int64_t j = begin; j < end; j += 4) {
        if (i + 4 <= rows && j + 4 <= cols) {
          transpose4(from + i * from_ld + j, from_ld, to + j * to_ld + i, to_ld);
          continue;
        }
        for (int64_t r = i; r < i + 4 && r < rows; ++r) {
          for (int64_t c = j; c < j + 4 && c < cols; ++c) to[c * to_ld + r] = from[r * from_ld + c];
        }
      }
    }
  }
}

RECEPTIVE_NOTHROW_END

}  // namespace receptive::RECEPTIVE_ISA
