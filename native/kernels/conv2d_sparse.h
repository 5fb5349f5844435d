// The gradients of a convolution whose output has a gradient that is nearly all zero, as behind a maximum over all positions: sums over
// what is not. A zero adds nothing to the weights' gradient, whatever the input is there.
//
//   look at some of g                                  most are not zero: the other kernels
//   list what is not zero, image by image              more than one in 32: the other kernels
//   weights: for each channel k [taps*C] += x g, over the list, the input that a row of taps sees being one run of memory; transposed to dw
//   input:   for each image the same with the weights, transposed, into dx
#pragma once

#include "../ops/conv2d.h"
#include "../simd/transpose.h"
#include "conv2d_scatter.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kSparseShare = 32;          // one of so many is not zero, at most
constexpr int64_t kSparseLeast = 1 << 14;     // values of g that are worth a look
constexpr int64_t kSparseProbes = 64;         // places looked at before all are
constexpr int64_t kSparseRun = 16;            // values at each
constexpr int64_t kSparseGrain = 1 << 14;     // values read worth a chunk
constexpr int64_t kSparseParts = 16;          // chunks of channels
constexpr int64_t kTransposeGrain = 1 << 14;  // values worth a chunk

// Values of g that are not zero, those of image n at entries[first[n]], first[n + 1] being the end.
struct Sparse {
  struct Entry {
    int32_t row, column, channel;
    float value;
  };
  const Entry* entries = nullptr;  // null: there are too many
  const int64_t* first = nullptr;
};

// NaN is not zero.
RECEPTIVE_INLINE int64_t count_nonzero(const float* p, int64_t n) {
  constexpr int64_t block = 1 << 16;  // which a float counts to
  int64_t count = 0;
  for (int64_t begin = 0; begin < n; begin += block) {
    const int64_t end = smaller(begin + block, n);
    Vec zeros = zero();
    for (int64_t i = begin; i < end; i += Vec::width) {
      zeros = zeros + select(load(p + i, static_cast<int>(smaller<int64_t>(end - i, Vec::width))) == zero(), broadcast(1), zero());
    }
    const int64_t lanes = (end - begin + Vec::width - 1) / Vec::width * Vec::width;
    count += lanes - static_cast<int64_t>(reduce_add(zeros));
  }
  return count;
}

inline RECEPTIVE_OUTLINE Sparse list_nonzero(const Conv2dShape& s, const float* g, Context& context) {
  const int64_t image = s.OH * s.OW * s.K, size = s.N * image;
  int64_t seen = 0;
  for (int64_t i = 0; i < kSparseProbes; ++i) seen += count_nonzero(g + i * (size - kSparseRun) / (kSparseProbes - 1), kSparseRun);
  if (seen > 2 * kSparseProbes * kSparseRun / kSparseShare) return {};

  int64_t* first = static_cast<int64_t*>(context.scratch(static_cast<size_t>(s.N + 1) * sizeof(int64_t)));
  const int64_t grain = kSparseGrain / image;
  split(context, s.N, grain, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) first[n + 1] = count_nonzero(g + n * image, image);
  });
  first[0] = 0;
  for (int64_t n = 0; n < s.N; ++n) first[n + 1] += first[n];
  if (first[s.N] > size / kSparseShare) return {};

  auto* entries = static_cast<Sparse::Entry*>(context.scratch(static_cast<size_t>(first[s.N] + 1) * sizeof(Sparse::Entry)));
  split(context, s.N, grain, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      Sparse::Entry* to = entries + first[n];
      for (int64_t pixel = 0; pixel < s.OH * s.OW && to < entries + first[n + 1]; ++pixel) {
        const float* p = g + n * image + pixel * s.K;
        if (count_nonzero(p, s.K) == 0) continue;
        for (int64_t k = 0; k < s.K; ++k) {
          if (p[k] != 0) *to++ = {static_cast<int32_t>(pixel / s.OW), static_cast<int32_t>(pixel % s.OW), static_cast<int32_t>(k), p[k]};
        }
      }
    }
  });
  return {entries, first};
}

RECEPTIVE_INLINE Sparse sparse_of(const Conv2dShape& s, const float* g, Context& context) {
  return kSmall || s.groups != 1 || s.N * s.OH * s.OW * s.K < kSparseLeast ? Sparse() : list_nonzero(s, g, context);
}

RECEPTIVE_INLINE bool all_finite(const float* p, int64_t n) {
  Vec sum = zero();
  for (int64_t i = 0; i < n; i += Vec::width) sum = fma(load(p + i, static_cast<int>(smaller<int64_t>(n - i, Vec::width))), zero(), sum);
  return reduce_add(sum) == 0;
}

// Calls each(tap, offset, n) for the runs of memory, of n floats from x + offset on, that an output sees of an image [H,W,C] and that `tap`
// is the first tap of.
template <class Each>
RECEPTIVE_INLINE void each_run(const Conv2dShape& s, const Sparse::Entry& entry, const Each& each) {
  const int64_t top = entry.row * s.sh - s.top, left = entry.column * s.sw - s.left, together = s.dw == 1 ? s.kw : 1;
  for (int64_t a = 0; a < s.kh; ++a) {
    const int64_t h = top + a * s.dh;
    if (h < 0 || h >= s.H) continue;
    for (int64_t b = 0; b < s.kw; b += together) {
      const int64_t begin = larger<int64_t>(left + b * s.dw, 0), end = smaller(left + b * s.dw + together, s.W);
      if (begin < end) each(a * s.kw + b + begin - (left + b * s.dw), (h * s.W + begin) * s.C, (end - begin) * s.C);
    }
  }
}

// to[i] += from[i] * factor
RECEPTIVE_INLINE void add_scaled(float* to, const float* from, float factor, int64_t n) {
  const Vec f = broadcast(factor);
  int64_t i = 0;
  for (; i + Vec::width <= n; i += Vec::width) store(to + i, fma(load(from + i), f, load(to + i)));
  if (i < n) {
    const int tail = static_cast<int>(n - i);
    store(to + i, fma(load(from + i, tail), f, load(to + i, tail)), tail);
  }
}

// to[j][i] = from[i][j], of so many rows and columns, in chunks of rows of `to`.
RECEPTIVE_INLINE void transposed(const float* from, int64_t rows, int64_t cols, float* to, Context& context) {
  split(context, cols, kTransposeGrain / rows, 4,
        [&](int64_t begin, int64_t end, int) { transpose_matrix(from + begin, cols, rows, end - begin, to + begin * rows, rows); });
}

// dw [taps*C][K] and, where it is given, db [K].
inline RECEPTIVE_OUTLINE void sparse_backward_weight(const Conv2dBackwardWeightArgs<float>& a, const Sparse& g, Context& context) {
  const Conv2dShape& s = a.shape;
  const int64_t size = s.kh * s.kw * s.C, parts = smaller(s.K, kSparseParts);
  float* sums = static_cast<float*>(context.scratch(static_cast<size_t>(s.K * size) * sizeof(float)));
  context.parallel(parts, [&](int64_t part, int) {
    const int64_t begin = part * s.K / parts, end = (part + 1) * s.K / parts;
    memset(sums + begin * size, 0, static_cast<size_t>((end - begin) * size) * sizeof(float));
    for (int64_t k = begin; a.db && k < end; ++k) a.db[k] = 0;
    for (int64_t n = 0; n < s.N; ++n) {
      const float* x = a.x + n * s.H * s.W * s.C;
      for (const Sparse::Entry* e = g.entries + g.first[n]; e < g.entries + g.first[n + 1]; ++e) {
        if (e->channel < begin || e->channel >= end) continue;
        if (a.db) a.db[e->channel] += e->value;
        float* sum = sums + e->channel * size;
        each_run(s, *e, [&](int64_t tap, int64_t offset, int64_t count) { add_scaled(sum + tap * s.C, x + offset, e->value, count); });
      }
    }
  });
  transposed(sums, s.K, size, a.dw, context);
}

inline RECEPTIVE_OUTLINE void sparse_backward_input(const Conv2dBackwardInputArgs<float>& a, const Sparse& g, Context& context) {
  const Conv2dShape& s = a.shape;
  const int64_t size = s.kh * s.kw * s.C, image = s.H * s.W * s.C;
  float* w = static_cast<float*>(context.scratch(static_cast<size_t>(s.K * size) * sizeof(float)));
  transposed(a.w, size, s.K, w, context);
  split(context, s.N, kSparseGrain / image, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      float* dx = a.dx + n * image;
      fill_pixels(dx, a.b, s.C, s.H * s.W);
      for (const Sparse::Entry* e = g.entries + g.first[n]; e < g.entries + g.first[n + 1]; ++e) {
        const float* taps = w + e->channel * size;
        each_run(s, *e, [&](int64_t tap, int64_t offset, int64_t count) { add_scaled(dx + offset, taps + tap * s.C, e->value, count); });
      }
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
