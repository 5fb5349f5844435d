// Strided convolution as one without stride: the sh x sw pixels of a cell are one pixel of their channels, pixel by pixel (space to depth).
//
// Output (i, j) sees at tap (a, b) pixel (a % sh, b % sw) of cell (i + a / sh, j + b / sw), counted from the padding's corner. Where a
// stride does not divide the kernel, the last taps of some pixels are zero: of 5x5 taps by steps of two 25 in 36 are not, of 7x7 49 in 64.
// Minimal filtering (conv2d_winograd.h) saves more than they cost.
#pragma once

#include "../ops/conv2d.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

RECEPTIVE_INLINE bool is_strided(const Conv2dShape& s) { return s.sh > 1 || s.sw > 1; }

// The convolution of cells, as many as hold every pixel and every tap. Without dilation.
RECEPTIVE_INLINE Conv2dShape of_cells(const Conv2dShape& s) {
  const auto steps = [](int64_t n, int64_t stride) { return (n + stride - 1) / stride; };
  Conv2dShape cells = s;
  cells.kh = steps(s.kh, s.sh), cells.kw = steps(s.kw, s.sw);
  cells.H = larger(s.OH + cells.kh - 1, steps(s.H + s.top, s.sh));
  cells.W = larger(s.OW + cells.kw - 1, steps(s.W + s.left, s.sw));
  cells.C = s.sh * s.sw * s.C;
  cells.sh = cells.sw = 1;
  cells.top = cells.left = 0;
  return cells;
}

// Whether the cells of an image, which take memory for all images at once, are not much more than it is: padding may be.
RECEPTIVE_INLINE bool cells_fit(const Conv2dShape& s, const Conv2dShape& cells) {
  return !is_strided(s) || cells.H * cells.W * cells.C <= 16 * s.H * s.W * s.C;
}

// Weights are [taps][channels] rows of K: that of cells which is a tap's first. Its C rows lie together there, too.
RECEPTIVE_INLINE int64_t row_of_cells(const Conv2dShape& s, const Conv2dShape& cells, int64_t tap) {
  const int64_t a = tap / s.kw, b = tap % s.kw, pixel = a % s.sh * s.sw + b % s.sw;
  return (a / s.sh * cells.kw + b / s.sw) * cells.C + pixel * s.C;
}

RECEPTIVE_INLINE void copy_floats(const float* from, int64_t n, float* to) {
  int64_t i = 0;
  for (; i + Vec::width <= n; i += Vec::width) store(to + i, load(from + i));
  if (i < n) store(to + i, load(from + i, static_cast<int>(n - i)), static_cast<int>(n - i));
}

// Calls each(image's, cells', floats) for what lies together in an image and in its cells: sw pixels of a row, or those of them that the
// image has in its first rows and columns, and outside(cells', floats) for what lies beyond those. All of one row of cells, counted
// through the images.
template <class Each, class Outside>
RECEPTIVE_INLINE void each_row_of_cells(const Conv2dShape& s, const Conv2dShape& cells, int64_t rows, int64_t columns, int64_t index,
                                        const Each& each, const Outside& outside) {
  const int64_t image = index / cells.H, width = s.sw * s.C;
  for (int64_t p = 0; p < s.sh; ++p) {
    const int64_t h = index % cells.H * s.sh + p - s.top;
    const int64_t row = (image * s.H + h) * s.W * s.C, at = index * cells.W * cells.C + p * width;
    int64_t from = -s.left * s.C, to = at;
    const int64_t end = h >= 0 && h < rows ? columns * s.C : 0;
    for (int64_t col = 0; col < cells.W; ++col, from += width, to += cells.C) {
      if (from >= 0 && from + width <= end) {
        each(row + from, to, width);
        continue;
      }
      const int64_t before = smaller(larger<int64_t>(-from, 0), width), last = larger(smaller(end - from, width), before);
      outside(to, before);
      if (last > before) each(row + from + before, to + before, last - before);
      outside(to + last, width - last);
    }
  }
}

// The cells of an image, with zeros around, and in the place of what no window reaches: nobody may hear of that, not even that it is NaN.
inline RECEPTIVE_OUTLINE const float* cells_of_image(const Conv2dShape& s, const Conv2dShape& cells, const float* x, Context& context) {
  const int64_t row = cells.W * cells.C, rows = s.N * cells.H;
  float* const to = static_cast<float*>(context.scratch(static_cast<size_t>(rows * row) * sizeof(float)));
  const int64_t seen_rows = smaller(s.H, (s.OH - 1) * s.sh + s.kh - s.top), seen_columns = smaller(s.W, (s.OW - 1) * s.sw + s.kw - s.left);
  split(context, rows, kElementGrain / row, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t index = begin; index < end; ++index) {
      each_row_of_cells(
          s, cells, seen_rows, seen_columns, index, [&](int64_t from, int64_t at, int64_t n) { copy_floats(x + from, n, to + at); },
          [&](int64_t at, int64_t n) { memset(to + at, 0, static_cast<size_t>(n) * sizeof(float)); });
    }
  });
  return to;
}

// What of the cells lies in the image.
inline RECEPTIVE_OUTLINE void image_of_cells(const Conv2dShape& s, const Conv2dShape& cells, const float* from, float* x,
                                             Context& context) {
  split(context, s.N * cells.H, kElementGrain / (cells.W * cells.C), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t index = begin; index < end; ++index) {
      each_row_of_cells(
          s, cells, s.H, s.W, index, [&](int64_t to, int64_t at, int64_t n) { copy_floats(from + at, n, x + to); },
          [](int64_t, int64_t) {});
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
