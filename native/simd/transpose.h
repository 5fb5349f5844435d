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

// to[j * to_ld + i] = from[i * from_ld + j] for i < rows, j < cols. In blocks of whole lines of both, put together in between: where lines
// lie a power of two apart, those of `to` would push each other out between four floats and the next.
RECEPTIVE_INLINE void transpose_matrix(const float* from, int64_t from_ld, int64_t rows, int64_t cols, float* to, int64_t to_ld) {
  constexpr int64_t kLine = 16;  // floats of a cache line
  for (int64_t i = 0; i < rows; i += kLine) {
    for (int64_t j = 0; j < cols; j += kLine) {
      const float* const source = from + i * from_ld + j;
      float* const target = to + j * to_ld + i;
      if (i + kLine <= rows && j + kLine <= cols) {
        alignas(64) float block[kLine * kLine];
        for (int64_t r = 0; r < kLine; r += 4)
          for (int64_t c = 0; c < kLine; c += 4) transpose4(source + r * from_ld + c, from_ld, block + c * kLine + r, kLine);
        for (int64_t c = 0; c < kLine; ++c)
          for (int64_t r = 0; r < kLine; r += Vec::width) store(target + c * to_ld + r, load(block + c * kLine + r));
        continue;
      }
      const int64_t height = rows - i < kLine ? rows - i : kLine, width = cols - j < kLine ? cols - j : kLine;
      for (int64_t r = 0; r < height; r += 4) {
        for (int64_t c = 0; c < width; c += 4) {
          if (r + 4 <= height && c + 4 <= width) {
            transpose4(source + r * from_ld + c, from_ld, target + c * to_ld + r, to_ld);
            continue;
          }
          for (int64_t p = r; p < r + 4 && p < height; ++p)
            for (int64_t q = c; q < c + 4 && q < width; ++q) target[q * to_ld + p] = source[p * from_ld + q];
        }
      }
    }
  }
}

RECEPTIVE_NOTHROW_END

}  // namespace receptive::RECEPTIVE_ISA
