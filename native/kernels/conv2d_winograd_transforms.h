// The transforms of conv2d_winograd.cpp, one of each for each filter: all that is compiled filter by filter.
#pragma once

#include "conv2d_winograd.h"
#include "gemm.h"
#include "split.h"
#include "winograd_axis.h"

namespace receptive::RECEPTIVE_ISA {

// Along each axis: taps, outputs and points of a tile.
struct TileShape {
  int taps, outputs, points;
};

// Rows of points: [first, end).
struct PointRows {
  int first, end;
};

// A tile's first output.
struct Place {
  int64_t image, row, col;
};

// Matrices of points lie `apart`; `zeros` stands for what lies outside of the image.
struct Transforms {
  TileShape row, col;
  int points() const { return row.points * col.points; }
  // U = G g Gᵀ for input channels [begin, end) of a panel.
  void (*weights)(const FilterWeights&, const Panels&, int64_t panel, int64_t begin, int64_t end, float* U, int64_t apart,
                  const PointRows& rows);
  // V = Bᵀ d B for one tile.
  void (*input)(const Filtered&, const float* x, const Place& at, const float* zeros, float* to, int64_t apart);
  // y = Aᵀ M A + bias for one tile, finished; outputs beyond the image are dropped.
  void (*output)(const Filtered&, const float* from, int64_t apart, const float* bias, const Finish& finish, const Place& at, float* y);
  // A g Aᵀ for one tile of the output's gradient, which is zero beyond the image.
  void (*gradient)(const Filtered&, const float* g, const Place& at, const float* zeros, float* to, int64_t apart);
  // dw = Gᵀ S G for one input channel, the sums of whose points are rows of S.
  void (*sums)(const float* from, int64_t apart, int64_t K, float* dw, int64_t tap);
};

constexpr int64_t kChannelsAhead = 4;

template <class Rows, class Cols>
static void transform_weights(const FilterWeights& w, const Panels& panels, int64_t panel, int64_t begin, int64_t end, float* U,
                              int64_t apart, const PointRows& rows) {
  const int nr = panels.width(panel), tail = panels.tail(panel);
  for (int64_t c = begin; c < end; ++c) {
    if (Vec::width < 16) {  // a panel's part of a row is a line or so, and no prefetcher follows lines a row of weights apart
      const float* const ask = w.data + (c + kChannelsAhead) * w.channel + panels.first(panel) * Vec::width;
      for (int i = 0; i < Rows::taps; ++i)
        for (int j = 0; j < Cols::taps; ++j) prefetch(ask + i * w.row + j * w.col);
    }
    for (int n = 0; n < nr; ++n) {
      const float* from = w.data + c * w.channel + (panels.first(panel) + n) * Vec::width;
      const int used = n == nr - 1 ? tail : Vec::width;
      Vec t[Rows::points][Cols::taps];
#pragma GCC unroll 8
      for (int j = 0; j < Cols::taps; ++j) {
        Vec g[Rows::taps], u[Rows::points];
#pragma GCC unroll 8
        for (int i = 0; i < Rows::taps; ++i) g[i] = load_some(from + i * w.row + j * w.col, used);
        Rows::kernel(g, u);
        for (int i = 0; i < Rows::points; ++i) t[i][j] = u[i];
      }
      float* to = U + ((c - begin) * nr + n) * Vec::width;
      const auto across = [&](int i) {
        Vec u[Cols::points];
        Cols::kernel(t[i], u);
        for (int j = 0; j < Cols::points; ++j) store(to + (i * Cols::points + j) * apart, u[j]);
      };
      if constexpr (Rows::taps > 3) {  // seldom so hot as to be worth its room
#pragma GCC unroll 1
        for (int i = rows.first; i < rows.end; ++i) across(i);
      } else {
#pragma GCC unroll 8
        for (int i = 0; i < Rows::points; ++i) {
          if (i >= rows.first && i < rows.end) across(i);
        }
      }
    }
  }
}

// Cells of a tile to matrices of points, first down its columns, then along the rows of what that gave. The last channels, which do not
// fill a vector, are transformed from a copy in whole ones where loads have no masks.
template <int kRows, int kCols, int kRowPoints, int kColPoints, class Down, class Along>
RECEPTIVE_INLINE void transform_cells(const float* (&cell)[kRows][kCols], int64_t channels, float* to, int64_t apart, const Down& down,
                                      const Along& along) {
  [[maybe_unused]] float last[Vec::masks ? 1 : kRows][kCols][Vec::width];
  for (int64_t c = 0, offset = 0; c < channels; c += Vec::width, offset += Vec::width) {
    const int n = static_cast<int>(smaller<int64_t>(channels - c, Vec::width));
    if constexpr (!Vec::masks) {
      if (n < Vec::width) {
        for (int i = 0; i < kRows; ++i)
          for (int j = 0; j < kCols; ++j) store(last[i][j], load(cell[i][j] + c, n)), cell[i][j] = last[i][j];
        offset = 0;
      }
    }
    Vec t[kRowPoints][kCols];
#pragma GCC unroll 8
    for (int j = 0; j < kCols; ++j) {
      Vec d[kRows], v[kRowPoints];
#pragma GCC unroll 8
      for (int i = 0; i < kRows; ++i) d[i] = Vec::masks ? load(cell[i][j] + offset, n) : load(cell[i][j] + offset);
      down(d, v);
      for (int i = 0; i < kRowPoints; ++i) t[i][j] = v[i];
    }
#pragma GCC unroll 8
    for (int i = 0; i < kRowPoints; ++i) {
      Vec v[kColPoints];
      along(t[i], v);
      for (int j = 0; j < kColPoints; ++j) store(to + (i * kColPoints + j) * apart + c, v[j]);
    }
  }
}

// Where the cells of a tile lie, from row h and column w of an image on; zeros stand for those beyond it.
template <int kRows, int kCols>
static RECEPTIVE_OUTLINE void find_cells(const float* image, const Image& size, int64_t h, int64_t w, int64_t down, int64_t across,
                                         const float* zeros, const float* (&cell)[kRows][kCols]) {
  const int64_t row = down * size.cols * size.channels, col = across * size.channels, first = (h * size.cols + w) * size.channels;
  if (h >= 0 && h + (kRows - 1) * down < size.rows && w >= 0 && w + (kCols - 1) * across < size.cols) {
    const float* at = image + first;
    for (int i = 0; i < kRows; ++i, at += row)
      for (int j = 0; j < kCols; ++j) cell[i][j] = at + j * col;
    return;
  }
  for (int i = 0; i < kRows; ++i) {
    const bool inside = h + i * down >= 0 && h + i * down < size.rows;
    for (int j = 0; j < kCols; ++j) {
      const bool both = inside && w + j * across >= 0 && w + j * across < size.cols;
      cell[i][j] = both ? image + first + i * row + j * col : zeros;
    }
  }
}

template <class Rows, class Cols>
static void transform_input(const Filtered& p, const float* x, const Place& at, const float* zeros, float* to, int64_t apart) {
  const float* cell[Rows::points][Cols::points];
  find_cells(x + at.image * p.in.rows * p.in.cols * p.in.channels, p.in, at.row - p.top, at.col - p.left, p.down, p.across, zeros, cell);
  transform_cells<Rows::points, Cols::points, Rows::points, Cols::points>(
      cell, p.in.channels, to, apart, [](auto& d, auto& v) { Rows::input(d, v); }, [](auto& t, auto& v) { Cols::input(t, v); });
}

template <class Rows, class Cols>
static void transform_output(const Filtered& p, const float* from, int64_t apart, const float* bias, const Finish& finish, const Place& at,
                             float* y) {
  const Vec low = broadcast(static_cast<float>(finish.clip.low)), high = broadcast(static_cast<float>(finish.clip.high));
  const int rows = static_cast<int>(smaller<int64_t>(Rows::outputs, (p.out.rows - at.row + p.down - 1) / p.down));
  const int cols = static_cast<int>(smaller<int64_t>(Cols::outputs, (p.out.cols - at.col + p.across - 1) / p.across));
  float* to = y + ((at.image * p.out.rows + at.row) * p.out.cols + at.col) * p.out.channels;
  const float* add = finish.add ? finish.add + (to - finish.y) : nullptr;
  const int64_t down = p.down * p.out.cols * p.out.channels, across = p.across * p.out.channels;
  int64_t row = down, col = across;
  const auto each_cell = [&](const auto& body) {
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < cols; ++j) body(i * down + j * across, (i * Cols::outputs + j) * Vec::width);
  };
  float last[Rows::outputs * Cols::outputs * Vec::width], last_add[Rows::outputs * Cols::outputs * Vec::width];
  for (int64_t k = 0; k < p.out.channels; k += Vec::width, to += Vec::width, add = add ? add + Vec::width : nullptr) {
    const int n = static_cast<int>(smaller<int64_t>(Vec::width, p.out.channels - k));
    float* const beyond = to;
    if (n < Vec::width) {
      if (add) each_cell([&](int64_t cell, int copy) { store(last_add + copy, load(add + cell, n)); });
      to = last, add = add ? last_add : nullptr, row = Cols::outputs * Vec::width, col = Vec::width;
    }
    Vec t[Rows::outputs][Cols::points];
#pragma GCC unroll 8
    for (int j = 0; j < Cols::points; ++j) {
      Vec m[Rows::points], r[Rows::outputs];
#pragma GCC unroll 8
      for (int i = 0; i < Rows::points; ++i) m[i] = load(from + (i * Cols::points + j) * apart + k);
      Rows::output(m, r);
      for (int i = 0; i < Rows::outputs; ++i) t[i][j] = r[i];
    }
    const Vec b = bias ? load_some(bias + k, n) : zero();
#pragma GCC unroll 8
    for (int i = 0; i < Rows::outputs; ++i) {
      if (i >= rows) break;
      Vec r[Cols::outputs];
      Cols::output(t[i], r);
#pragma GCC unroll 8
      for (int j = 0; j < Cols::outputs; ++j) {
        if (j >= cols) break;
        Vec value = r[j] + b;
        if (add) value = value + load(add + i * row + j * col);
        store(to + i * row + j * col, min(high, max(low, value)));  // in this order NaN passes through
      }
    }
    if (n < Vec::width) each_cell([&](int64_t cell, int copy) { store(beyond + cell, load(last + copy), n); });
  }
}

template <class Rows, class Cols>
static void transform_gradient(const Filtered& p, const float* g, const Place& at, const float* zeros, float* to, int64_t apart) {
  const float* cell[Rows::outputs][Cols::outputs];
  find_cells(g + at.image * p.out.rows * p.out.cols * p.out.channels, p.out, at.row, at.col, p.down, p.across, zeros, cell);
  transform_cells<Rows::outputs, Cols::outputs, Rows::points, Cols::points>(
      cell, p.out.channels, to, apart, [](auto& d, auto& m) { Rows::gradient(d, m); }, [](auto& t, auto& m) { Cols::gradient(t, m); });
}

template <class Rows, class Cols>
static void transform_sums(const float* from, int64_t apart, int64_t K, float* dw, int64_t tap) {
  for (int64_t k = 0; k < K; k += Vec::width) {
    const int n = static_cast<int>(smaller<int64_t>(K - k, Vec::width));
    Vec t[Rows::taps][Cols::points];
#pragma GCC unroll 1
    for (int j = 0; j < Cols::points; ++j) {
      Vec u[Rows::points], g[Rows::taps];
#pragma GCC unroll 8
      for (int i = 0; i < Rows::points; ++i) u[i] = load(from + (i * Cols::points + j) * apart + k);
      Rows::weights(u, g);
      for (int i = 0; i < Rows::taps; ++i) t[i][j] = g[i];
    }
#pragma GCC unroll 1
    for (int i = 0; i < Rows::taps; ++i) {
      Vec g[Cols::taps];
      Cols::weights(t[i], g);
      for (int j = 0; j < Cols::taps; ++j) store(dw + (i * Cols::taps + j) * tap + k, g[j], n);
    }
  }
}

template <class Axis>
constexpr TileShape shape_along = {Axis::taps, Axis::outputs, Axis::points};

// The input's transform depends on the points alone: filters of several lengths share it.
template <class Rows, class Cols>
constexpr Transforms transforms = {shape_along<Rows>,
                                   shape_along<Cols>,
                                   transform_weights<Rows, Cols>,
                                   transform_input<typename Rows::Input, typename Cols::Input>,
                                   transform_output<Rows, Cols>,
                                   transform_gradient<Rows, Cols>,
                                   transform_sums<Rows, Cols>};

RECEPTIVE_INLINE const Transforms& transforms_of(Filter filter) {
  if constexpr (kSmall) {
    return transforms<SixPoints<3>, SixPoints<3>>;
  } else {
    static constexpr const Transforms* all[] = {&transforms<FourPoints, FourPoints>,     &transforms<SixPoints<3>, SixPoints<3>>,
                                                &transforms<SixPoints<4>, SixPoints<4>>, &transforms<SixPoints<5>, SixPoints<5>>,
                                                &transforms<OnePoint, SixPoints<3>>,     &transforms<OnePoint, SixPoints<4>>,
                                                &transforms<OnePoint, SixPoints<5>>};
    return *all[static_cast<int>(filter) - 1];
  }
}

}  // namespace receptive::RECEPTIVE_ISA
