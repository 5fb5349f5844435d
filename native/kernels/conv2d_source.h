// Where a convolution reads: the geometry of its taps, and the zero-padded copy of the rows in use.
//
// Along each axis output o and tap t read source cell o*stride + t*dilation + origin, or zero outside [0, in). A convolution is this
// with origin = -padding; its gradient with respect to the input is this once for each phase of the stride (see
// conv2d_backward_input.cpp). Where every read lies inside, the tensor is read in place. Otherwise a band of output rows copies what
// it reads, with zeros around, so that the loops have no borders; or, where a pixel's channels are a loop of their own, its taps are
// looked up one by one.
#pragma once

#include "../ops/conv2d.h"
#include "far.h"
#include "gemm.h"

namespace receptive::RECEPTIVE_ISA {

RECEPTIVE_NOTHROW_BEGIN

struct Axis {
  int64_t out, in, stride, taps, dilation, origin;
  bool inside() const { return out == 0 || taps == 0 || (origin >= 0 && (out - 1) * stride + (taps - 1) * dilation + origin < in); }
};

// Cells of the copy along one axis: output o and tap t read cell o*step + t*hop. Either every source cell in the range, or, when taps
// are far apart, a separate run of cells for each tap.
struct Cells {
  int64_t step, hop, count;
};

RECEPTIVE_INLINE Cells cells_of(const Axis& axis, int64_t out) {
  if (axis.taps == 0) return {0, 0, 0};
  const int64_t dense = (out - 1) * axis.stride + (axis.taps - 1) * axis.dilation + 1, apart = out * axis.taps;
  if (dense <= apart) return {axis.stride, axis.dilation, dense};
  return {1, out, apart};
}

// The source cell that `cell` of the copy holds, for a copy whose first output is o.
RECEPTIVE_INLINE int64_t source_cell(const Axis& axis, const Cells& cells, int64_t o, int64_t out, int64_t cell) {
  const int64_t first = o * axis.stride + axis.origin;
  return cells.step == axis.stride && cells.hop == axis.dilation ? first + cell
                                                                 : first + cell % out * axis.stride + cell / out * axis.dilation;
}

constexpr int64_t kLookedUp = 32;  // channels, from which on that costs less than a copy

// A convolution's input side: windows of channels (a group's) of an [images, rows.in, cols.in, channels] tensor.
struct Source {
  const float* data;
  int64_t images, channels, window;
  Axis rows, cols;
  bool in_place() const { return rows.inside() && cols.inside(); }
  bool looked_up() const { return !in_place() && window >= kLookedUp; }
  bool is_far() const { return is_read_far(images * rows.in * cols.in * channels); }
  const float* image(int64_t index, int64_t channel) const { return data + index * rows.in * cols.in * channels + channel; }
};

// What the windows of a convolution see of x.
RECEPTIVE_INLINE Source input_of(const Conv2dShape& s, const float* x) {
  return {x, s.N, s.C, s.C / s.groups, {s.OH, s.H, s.sh, s.kh, s.dh, -s.top}, {s.OW, s.W, s.sw, s.kw, s.dw, -s.left}};
}

// Distances in floats: from an output's base pointer to that of the next row and column, and from one tap to the next.
struct Layout {
  int64_t row_step, col_step, row_hop, col_hop;
  int64_t copy_size;  // floats of a band's copy, 0 in place
  Cells rows, cols;   // of the copy
};

// For bands of `band` output rows.
inline RECEPTIVE_OUTLINE RECEPTIVE_NOTHROW Layout layout_of(const Source& source, int64_t band) {
  const bool in_place = source.in_place();
  const Cells rows = in_place ? Cells{source.rows.stride, source.rows.dilation, source.rows.in} : cells_of(source.rows, band);
  const Cells cols = in_place ? Cells{source.cols.stride, source.cols.dilation, source.cols.in} : cells_of(source.cols, source.cols.out);
  const int64_t pixel = in_place ? source.channels : source.window, row = cols.count * pixel;
  return {rows.step * row, cols.step * pixel, rows.hop * row, cols.hop * pixel, in_place ? 0 : rows.count * row, rows, cols};
}

// Lists the taps as contiguous runs of inputs, in order, all of one length, and returns how many: at most rows.taps * cols.taps.
inline RECEPTIVE_OUTLINE RECEPTIVE_NOTHROW int64_t segments_of(const Source& source, const Layout& layout, Segment* segments) {
  // Where taps of a row lie apart, the last of one row may touch the first of the next: joined, they would be longer than the others.
  const bool joins = source.cols.taps == 1 || layout.col_hop == source.window;
  int64_t count = 0;
  for (int64_t a = 0; a < source.rows.taps; ++a) {
    for (int64_t b = 0; b < source.cols.taps; ++b) {
      const int64_t offset = a * layout.row_hop + b * layout.col_hop;
      if (joins && count > 0 && segments[count - 1].offset + segments[count - 1].length == offset) {
        segments[count - 1].length += source.window;
      } else {
        segments[count++] = {offset, source.window};
      }
    }
  }
  return count;
}

// Where output pixel (i, j) finds its taps [first, end) in an image, one pointer every kMaxMR.
RECEPTIVE_INLINE void look_up(const Source& source, const float* image, int64_t i, int64_t j, int64_t first, int64_t end,
                              const float* zeros, const float** places) {
  const Axis &rows = source.rows, &cols = source.cols;
  int64_t a = first / cols.taps, b = first % cols.taps;
  for (int64_t tap = first; tap < end; ++tap, places += kMaxMR) {
    const int64_t h = i * rows.stride + a * rows.dilation + rows.origin, w = j * cols.stride + b * cols.dilation + cols.origin;
    const bool inside = h >= 0 && h < rows.in && w >= 0 && w < cols.in;
    *places = inside ? image + (h * cols.in + w) * source.channels : zeros;
    if (++b == cols.taps) b = 0, ++a;
  }
}

// Fills n pixels of `channels` floats from pixels `pitch` apart.
RECEPTIVE_INLINE void copy_pixels(const float* from, int64_t pitch, int64_t channels, int64_t n, float* to) {
  if (pitch == channels) {
    memcpy(to, from, static_cast<size_t>(n * channels) * sizeof(float));
    return;
  }
  for (int64_t i = 0; i < n; ++i) memcpy(to + i * channels, from + i * pitch, static_cast<size_t>(channels) * sizeof(float));
}

// The base pointer of output row `row`, column 0, of an image, at its channel `channel`; copies the window from there, for rows
// [row, row + band), when not in place.
inline RECEPTIVE_OUTLINE RECEPTIVE_NOTHROW const float* open_band(const Source& source, const Layout& layout, int64_t image,
                                                                  int64_t channel, int64_t row, int64_t band, float* copy) {
  if (source.rows.taps * source.cols.taps == 0) return source.data;  // no taps: nothing will be read
  const int64_t channels = source.window;
  const float* from = source.image(image, channel);
  if (layout.copy_size == 0) {
    return from + ((row * source.rows.stride + source.rows.origin) * source.cols.in + source.cols.origin) * source.channels;
  }
  const auto clear = [&](float* to, int64_t pixels) { memset(to, 0, static_cast<size_t>(pixels * channels) * sizeof(float)); };
  const bool dense = layout.cols.step == source.cols.stride && layout.cols.hop == source.cols.dilation;
  for (int64_t r = 0; r < layout.rows.count; ++r) {
    float* to = copy + r * layout.cols.count * channels;
    const int64_t h = source_cell(source.rows, layout.rows, row, band, r);
    if (h < 0 || h >= source.rows.in) {
      clear(to, layout.cols.count);
      continue;
    }
    const float* line = from + h * source.cols.in * source.channels;
    if (dense) {
      const int64_t count = layout.cols.count, first = source.cols.origin;
      const int64_t begin = smaller(larger<int64_t>(-first, 0), count), end = larger(smaller(source.cols.in - first, count), begin);
      clear(to, begin);
      if (end > begin) copy_pixels(line + (first + begin) * source.channels, source.channels, channels, end - begin, to + begin * channels);
      clear(to + end * channels, count - end);
    } else {
      for (int64_t c = 0; c < layout.cols.count; ++c, to += channels) {
        const int64_t w = source_cell(source.cols, layout.cols, 0, source.cols.out, c);
        if (w < 0 || w >= source.cols.in) {
          clear(to, 1);
        } else {
          copy_pixels(line + w * source.channels, source.channels, channels, 1, to);
        }
      }
    }
  }
  return copy;
}

RECEPTIVE_NOTHROW_END

}  // namespace receptive::RECEPTIVE_ISA
