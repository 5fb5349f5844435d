// The product of a few rows with a transposed matrix: dot products of contiguous rows of both, with nothing packed.
//
//   for each chunk of columns, for each tile of MR rows and NC columns
//     acc[MR][NC] vectors in registers over k, their lanes added up at the end
//
// A linear layer of a small batch: b is read once, which packing alone would take.
#pragma once

#include "../ops/matmul.h"
#include "gemm.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kDotRows = 16;  // beyond, packing pays
constexpr int kDotMR = Vec::registers == 32 ? 4 : 2;
constexpr int kDotNC = 4;
constexpr int64_t kDotGrain = 1 << 16;  // floats of b worth a chunk
constexpr int64_t kDotAhead = 1 << 12;  // steps: how far before it is read b is asked for, which may come from memory

template <int MR, int NC>
RECEPTIVE_INLINE void dot_tile(const float* a, const float* b, int64_t K, const float* bias, float low, float high, float* y, int64_t N) {
  Vec acc[MR][NC];
#pragma GCC unroll 4
  for (int m = 0; m < MR; ++m)
    for (int n = 0; n < NC; ++n) acc[m][n] = zero();
  int64_t k = 0;
  const int64_t ahead = K < kDotAhead ? kDotAhead / larger<int64_t>(K, 1) * NC * K : kDotAhead;
  const auto step = [&](const auto& read) {
    Vec row[MR];
#pragma GCC unroll 4
    for (int m = 0; m < MR; ++m) row[m] = read(a + m * K);
#pragma GCC unroll 4
    for (int n = 0; n < NC; ++n) {
      prefetch(b + n * K + k + ahead);
      const Vec column = read(b + n * K);
#pragma GCC unroll 4
      for (int m = 0; m < MR; ++m) acc[m][n] = fma(row[m], column, acc[m][n]);
    }
  };
  for (; k + Vec::width <= K; k += Vec::width) step([&](const float* p) { return load(p + k); });
  const int rest = static_cast<int>(K - k);
  if (rest > 0) step([&](const float* p) { return load(p + k, rest); });
#pragma GCC unroll 4
  for (int m = 0; m < MR; ++m)
    for (int n = 0; n < NC; ++n) {
      const float value = reduce_add(acc[m][n]) + (bias ? bias[n] : 0);
      y[m * N + n] = value < low ? low : value > high ? high : value;
    }
}

template <int MR>
RECEPTIVE_INLINE void dot_rows(const MatmulArgs<float>& p, const float* a, const float* b, float* y, int64_t begin, int64_t end) {
  const float low = static_cast<float>(p.clip.low), high = static_cast<float>(p.clip.high);
  int64_t n = begin;
  for (; n + kDotNC <= end; n += kDotNC) dot_tile<MR, kDotNC>(a, b + n * p.K, p.K, p.bias ? p.bias + n : nullptr, low, high, y + n, p.N);
  for (; n < end; ++n) dot_tile<MR, 1>(a, b + n * p.K, p.K, p.bias ? p.bias + n : nullptr, low, high, y + n, p.N);
}

RECEPTIVE_INLINE bool dot_pays(const MatmulArgs<float>& p) { return p.trans_b && !p.trans_a && p.M <= kDotRows; }

RECEPTIVE_INLINE void matmul_dot(const MatmulArgs<float>& p, Context& context) {
  const int64_t blocks = larger<int64_t>(smaller(p.N / kDotNC, p.N * p.K / kDotGrain), 1);
  const int64_t units = p.batch * blocks, chunks = larger<int64_t>(smaller(units, p.batch * p.N * p.K / kDotGrain), 1);
  context.parallel(chunks, [&](int64_t chunk, int) {
    for (int64_t unit = chunk * units / chunks; unit < (chunk + 1) * units / chunks; ++unit) {
      const int64_t i = unit / blocks, begin = unit % blocks * p.N / blocks, end = (unit % blocks + 1) * p.N / blocks;
      const float *a = p.a + i * p.M * p.K, *b = p.b + i * p.N * p.K;
      float* y = p.y + i * p.M * p.N;
      int64_t m = 0;
      for (; m + kDotMR <= p.M; m += kDotMR) dot_rows<kDotMR>(p, a + m * p.K, b, y + m * p.N, begin, end);
      for (; m < p.M; ++m) dot_rows<1>(p, a + m * p.K, b, y + m * p.N, begin, end);
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
