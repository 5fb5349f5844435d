// Depthwise convolution: each channel is convolved with its own kernel. conv2d_depthwise.cpp, conv2d_depthwise_weight.cpp.
#pragma once

#include "conv2d_source.h"
#include "far.h"

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

  bool reads_far() const { return is_read_far(source.images * source.rows.in * source.cols.in * source.channels); }
  bool far() const { return writes_far(y, source.images * y_image, y_col) && source.channels % Vec::width == 0; }
};

RECEPTIVE_INLINE int64_t taps_of(const Source& source) { return source.rows.taps * source.cols.taps; }

// Taps [first, last) of an output that lie inside.
struct Inside {
  int64_t first, last;
};
RECEPTIVE_INLINE Inside inside(const Axis& axis, int64_t output) {
  const int64_t base = output * axis.stride + axis.origin;
  const int64_t first = base >= 0 ? 0 : smaller(axis.taps, (-base + axis.dilation - 1) / axis.dilation);
  const int64_t last = base >= axis.in ? first : larger(first, smaller(axis.taps, (axis.in - 1 - base) / axis.dilation + 1));
  return {first, last};
}

// Runs `count` of them that share images and channels and write disjoint pixels (the phases of a stride).
void depthwise(Context&, const Depthwise*, int64_t count);
void depthwise_backward_weight(const Conv2dBackwardWeightArgs<float>&, Context&);

}  // namespace receptive::RECEPTIVE_ISA
