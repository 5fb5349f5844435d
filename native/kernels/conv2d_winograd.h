// Convolution of stride 1 by minimal filtering: what its three passes ask of conv2d_winograd.cpp.
#pragma once

#include "../ops/conv2d.h"
#include "gemm.h"

namespace receptive::RECEPTIVE_ISA {

struct Image {
  int64_t rows, cols, channels;
};

// A convolution of [images, in] to [images, out]: output (i, j) reads input (i - top, j - left) at its first tap, and others `down` and
// `across` apart.
struct Filtered {
  int64_t images;
  Image in, out;
  int64_t top, left;
  int64_t down, across;
};

// Outputs of a tile and taps: F(2x2,3x3), F(4x4,3x3), F(3x3,4x4), F(2x2,5x5), and along a row F(4,3), F(3,4), F(2,5). The small
// set has F(4x4,3x3) only.
enum class Filter { none, square2of3, square4of3, square3of4, square2of5, row4of3, row3of4, row2of5 };

// What a convolution without stride is to its forward pass and the gradient of its weights, and to that of its input.
RECEPTIVE_INLINE Filtered filtered(const Conv2dShape& s) { return {s.N, {s.H, s.W, s.C}, {s.OH, s.OW, s.K}, s.top, s.left, s.dh, s.dw}; }
RECEPTIVE_INLINE Filtered filtered_back(const Conv2dShape& s) {
  return {s.N, {s.OH, s.OW, s.K}, {s.H, s.W, s.C}, (s.kh - 1) * s.dh - s.top, (s.kw - 1) * s.dw - s.left, s.dh, s.dw};
}

// What becomes of transformed weights: they are written and read, or, where tiles are few, products follow a piece of them at once; they
// are at hand; or they are sums over all tiles, of the gradient.
enum class Transformed { now, kept, sums };

inline Transformed transformed_in(const Context& context) { return context.always_keeps() ? Transformed::kept : Transformed::now; }

// The filter that costs least, where one costs clearly less than summing the products, in so many vector operations, or was asked for. Of a
// convolution without stride that can be filtered.
Filter filter_for(const Conv2dShape&, const Filtered&, Transformed, int64_t direct);

// Weights where they lie: tap (a, b) of input channel c begins at data + a*row + b*col + c*channel. The steps may be negative.
struct FilterWeights {
  const float* data;
  int64_t row, col, channel;
};

void filter_forward(Filter, const Filtered&, const FilterWeights&, const float* x, const float* bias, float* y, Context&,
                    const Finish* = nullptr);
// dw [taps][C][K].
void filter_backward_weight(Filter, const Filtered&, const float* x, const float* g, float* dw, Context&);

}  // namespace receptive::RECEPTIVE_ISA
