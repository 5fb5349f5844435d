// Convolution by channels: output channels along the lanes of a vector see input channels in the lanes of one vector. Depthwise, where each
// channel has its own kernel, and groups of as many channels as divide a vector. conv2d_depthwise.cpp, conv2d_depthwise_weight.cpp.
#pragma once

#include "conv2d_source.h"

namespace receptive::RECEPTIVE_ISA {

RECEPTIVE_INLINE bool is_depthwise(const Conv2dShape& s) { return s.groups == s.C && s.K == s.C; }

// Whether the channels of several groups fill a vector.
RECEPTIVE_INLINE bool is_grouped(const Conv2dShape& s) {
  const int64_t size = s.C / s.groups;
  return !kSmall && s.groups > 1 && s.K == s.C && size > 1 && size < Vec::width && Vec::width % size == 0;
}

// Output pixel (i, j) of an image lies at y + image*y_image + i*y_row + j*y_col; tap (a, b) of a group's input channel g has its weights,
// one for each output channel, at w + a*w_row + b*w_col + g*w_channel.
struct Depthwise {
  Source source;  // window unset
  const float* w;
  int64_t w_row, w_col;
  const float* bias;  // or null
  float* y;
  int64_t y_image, y_row, y_col;
  const Finish* finish = nullptr;
  int64_t group = 1;  // channels of one
  int64_t w_channel = 0;

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

// For each lane the first channel of its group, in the vector.
struct GroupOrder {
  int32_t lane[16];
  explicit GroupOrder(int64_t group) {
    for (int i = 0; i < 16; ++i) lane[i] = static_cast<int32_t>(i - i % group);
  }
};

// Whether a tile can slide along a row, see conv2d_depthwise.cpp. Each number of taps and stride is code of its own: groups of some
// channels have it for 3 taps, which is what they come with. Channels fill a vector, but where masks make it wide and fewer cheap.
constexpr bool kSlidesNarrow = Vec::masks;
RECEPTIVE_INLINE bool slides(const Source& source, int64_t group) {
  const Axis& cols = source.cols;
  if (kSmall || cols.dilation != 1 || cols.stride > 2 || cols.origin <= -cols.taps) return false;
  if (source.channels < Vec::width && !(kSlidesNarrow && group == 1)) return false;
  return cols.taps == 3 || (group == 1 && (cols.taps == 5 || cols.taps == 7));
}

// Runs `count` of them that share images and channels and write disjoint pixels (the phases of a stride).
void depthwise(Context&, const Depthwise*, int64_t count);
void depthwise_backward_weight(const Conv2dBackwardWeightArgs<float>&, Context&);

}  // namespace receptive::RECEPTIVE_ISA
