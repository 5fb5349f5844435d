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

// Part of an output row, and what it sees of the input: column i of that begins at cells[r * width + i] in row r of the taps inside the
// image, or is a line of zeros.
struct Line {
  const float* const* cells;
  int64_t width;
  int64_t row;   // floats from a row of taps to the next
  int64_t rows;  // of taps, those inside
  int64_t pixels, channels;
  // What the line that is next will be the first to see, if that is far: so many columns in each of so many rows.
  const float* next = nullptr;
  int64_t next_cols = 0, next_rows = 0, next_row = 0;

  // Asks for the part of that which goes with a vector of channels from c on and `count` columns from `first` on.
  void ask(int64_t c, int64_t first, int64_t count) const {
    const int64_t n = smaller(count, next_cols - first) * Vec::width;
    for (int64_t r = 0; r < next_rows; ++r) ask_for(next + r * next_row + c * next_cols + first * Vec::width, n);
  }
};

// For each lane the first channel of its group, in the vector.
struct GroupOrder {
  int32_t lane[16];
  explicit GroupOrder(int64_t group) {
    for (int i = 0; i < 16; ++i) lane[i] = static_cast<int32_t>(i - i % group);
  }
};

// Columns that so many neighbouring pixels see.
RECEPTIVE_INLINE int64_t seen_by(int64_t pixels, const Axis& cols) { return (pixels - 1) * cols.stride + cols.taps; }

// Whether columns of taps can be taken together: KW of them beside each other, the pixels S columns apart. Each KW and S is code of its
// own: groups of some channels have it for 3, which is what they come with, and 7 for a stride of 1.
RECEPTIVE_INLINE bool beside(const Axis& cols, int64_t group) {
  if (kSmall || cols.dilation != 1 || cols.stride > 2) return false;
  return cols.taps == 3 || (group == 1 && (cols.taps == 5 || (cols.taps == 7 && cols.stride == 1)));
}

// The line of output pixels [first, last) of a row of which `down` is inside: `width` columns from that of tap `tap` on, `step` apart, of
// which the pixels see the first `seen`; the others are zeros, whatever lies there. In `cells`, of source.rows.taps * width.
RECEPTIVE_INLINE Line line_of(const Source& source, const float** cells, const float* zeros, int64_t image, int64_t row, const Inside& down,
                              int64_t first, int64_t last, int64_t width, int64_t seen, int64_t tap, int64_t step) {
  const Axis &rows = source.rows, &cols = source.cols;
  const int64_t channels = source.channels, apart = cols.in * channels;
  const float* const x = source.data + (image * rows.in + row * rows.stride + rows.origin + down.first * rows.dilation) * apart;
  const int64_t left = first * cols.stride + tap * cols.dilation + cols.origin;
  const int64_t tall = down.last - down.first, row_step = rows.dilation * apart;
  for (int64_t j = 0; j < width; ++j) {
    const int64_t col = left + j * step;
    const bool there = j < seen && col >= 0 && col < cols.in;
    for (int64_t r = 0; r < tall; ++r) cells[r * width + j] = there ? x + r * row_step + col * channels : zeros;
  }
  return {cells, width, row_step, tall, last - first, channels};
}

// Runs `count` of them that share images and channels and write disjoint pixels (the phases of a stride).
void depthwise(Context&, const Depthwise*, int64_t count);
void depthwise_backward_weight(const Conv2dBackwardWeightArgs<float>&, Context&);

}  // namespace receptive::RECEPTIVE_ISA
