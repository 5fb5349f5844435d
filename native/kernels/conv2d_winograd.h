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

// F(2x2,3x3), F(4x4,3x3), and along a row F(4,3), F(3,4), F(2,5). The small set has F(4x4,3x3) only.
enum class Filter { none, square2, square4, row3, row4, row5 };

// What becomes of transformed weights: all of them are written and read; where tiles are few, products follow a piece of them at once; or
// they are at hand.
enum class Transformed { whole, in_pieces, kept };

inline Transformed transformed_in(const Context& context) { return context.always_keeps() ? Transformed::kept : Transformed::in_pieces; }

// The filter that costs least, where one costs clearly less than summing the products or was asked for.
Filter filter_for(const Conv2dShape&, const Filtered&, Transformed);

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
