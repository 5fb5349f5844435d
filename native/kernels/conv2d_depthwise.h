// Depthwise convolution: each channel is convolved with its own kernel. conv2d_depthwise.cpp.
#pragma once

#include "conv2d_source.h"

namespace receptive::RECEPTIVE_ISA {

RECEPTIVE_INLINE bool is_depthwise(const Conv2dShape& s) { return s.groups == s.C && s.K == s.C; }

// Output pixel (i, j) of an image lies at y + image*y_image + i*y_row + j*y_col; tap (a, b) has its weights at w + a*w_row + b*w_col.
struct Depthwise {
  Source source;  // window unset
  const float* w;
  int64_t w_row, w_col;
  const float* bias;  // or null
  float* y;
  int64_t y_image, y_row, y_col;
  const Finish* finish = nullptr;
};

void depthwise(const Depthwise&, Context&);
void depthwise_backward_weight(const Conv2dBackwardWeightArgs<float>&, Context&);

}  // namespace receptive::RECEPTIVE_ISA
