// Sums down the columns of a [rows, channels] matrix, and passes along its rows with a number for each channel: what batch norm and
// group norm are made of.
//
// Sums go a few vectors of channels at a time. kBlock rows are summed in registers, as differences from the block's first row where
// moments are wanted (so a large mean costs no digits); blocks, and then the pieces that threads take, are joined in double, in order.
#pragma once

#include <math.h>

#include "far.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kBlock = 64;
constexpr int kVectors = 4;  // at a time: twice as many accumulators, as many shifts
constexpr int64_t kPanel = kVectors * Vec::width;

// Two totals for each channel.
struct Totals {
  double* first;
  double* second;
};

// Calls sum(first row, rows, totals) for each piece of the rows, its totals being 0, then joins the pieces in order:
// join(totals, rows in them, totals of the next piece, rows in that).
template <class Sum, class Join>
RECEPTIVE_INLINE Totals sum_rows(int64_t rows, int64_t channels, Context& context, const Sum& sum, const Join& join) {
  const int64_t piece = larger<int64_t>(2 * kElementGrain / channels / kBlock, 1) * kBlock, pieces = (rows + piece - 1) / piece;
  const size_t bytes = static_cast<size_t>(larger<int64_t>(pieces, 1) * 2 * channels) * sizeof(double);
  double* memory = static_cast<double*>(context.scratch(bytes));
  memset(memory, 0, bytes);
  const auto totals = [&](int64_t p) { return Totals{memory + p * 2 * channels, memory + (p * 2 + 1) * channels}; };
  context.parallel(pieces, [&](int64_t p, int) { sum(p * piece, smaller(piece, rows - p * piece), totals(p)); });
  for (int64_t p = 1; p < pieces; ++p) join(totals(0), p * piece, totals(p), smaller(piece, rows - p * piece));
  return totals(0);
}

RECEPTIVE_INLINE void add_totals(const Totals& t, const Totals& other, int64_t channels) {
  RECEPTIVE_VECTORISE
  for (int64_t c = 0; c < channels; ++c) {
    t.first[c] += other.first[c];
    t.second[c] += other.second[c];
  }
}

// Joins means and sums of squared deviations of two sets (Chan, Golub and LeVeque, 1979).
RECEPTIVE_INLINE void join_moments(double* mean, double* squares, double n, double other_mean, double other_squares, double other_n) {
  const double delta = other_mean - *mean, all = n + other_n;
  *mean += delta * (other_n / all);
  *squares += other_squares + delta * delta * (n * other_n / all);
}

// A block of rows of V vectors of channels (of `lanes` channels when V is 1), joined into the moments of the `before` rows above it.
template <int V>
RECEPTIVE_INLINE void block_moments(const float* x, int64_t stride, int64_t rows, int lanes, int64_t before, double* mean,
                                    double* squares) {
  Vec origin[V], s1[V], s2[V];
  for (int v = 0; v < V; ++v) {
    origin[v] = load_some(x + v * Vec::width, lanes);
    s1[v] = s2[v] = zero();
  }
  for (int64_t r = 1; r < rows; ++r) {
    x += stride;
    for (int v = 0; v < V; ++v) {
      const Vec d = load_some(x + v * Vec::width, lanes) - origin[v];
      s1[v] = s1[v] + d;
      s2[v] = fma(d, d, s2[v]);
    }
  }
  float from[V * Vec::width], sum[V * Vec::width], square[V * Vec::width];
  for (int v = 0; v < V; ++v) {
    store(from + v * Vec::width, origin[v]);
    store(sum + v * Vec::width, s1[v]);
    store(square + v * Vec::width, s2[v]);
  }
  const double n = static_cast<double>(rows);
  RECEPTIVE_VECTORISE
  for (int i = 0; i < (V == 1 ? lanes : V * Vec::width); ++i) {
    const double s = sum[i], block_squares = square[i] - s * s / n;
    join_moments(mean + i, squares + i, static_cast<double>(before), from[i] + s / n, block_squares > 0 ? block_squares : 0, n);
  }
}

// The same for Σ g and Σ g (x - mean).
template <int V>
RECEPTIVE_INLINE void block_products(const float* g, const float* x, int64_t stride, int64_t rows, int lanes, const float* mean,
                                     double* sum_g, double* sum_gx) {
  Vec centre[V], s1[V], s2[V];
  for (int v = 0; v < V; ++v) {
    centre[v] = load_some(mean + v * Vec::width, lanes);
    s1[v] = s2[v] = zero();
  }
  for (int64_t r = 0; r < rows; ++r, g += stride, x += stride) {
    for (int v = 0; v < V; ++v) {
      const Vec gv = load_some(g + v * Vec::width, lanes);
      s1[v] = s1[v] + gv;
      s2[v] = fma(gv, load_some(x + v * Vec::width, lanes) - centre[v], s2[v]);
    }
  }
  float first[V * Vec::width], second[V * Vec::width];
  for (int v = 0; v < V; ++v) {
    store(first + v * Vec::width, s1[v]);
    store(second + v * Vec::width, s2[v]);
  }
  RECEPTIVE_VECTORISE
  for (int i = 0; i < (V == 1 ? lanes : V * Vec::width); ++i) {
    sum_g[i] += first[i];
    sum_gx[i] += second[i];
  }
}

// The moments of each column of so many rows, joined into totals that are 0.
RECEPTIVE_INLINE void column_moments(const float* x, int64_t rows, int64_t channels, const Totals& t) {
  for (int64_t r = 0; r < rows; r += kBlock, x += kBlock * channels) {
    const int64_t n = smaller(kBlock, rows - r);
    int64_t c = 0;
    for (; c + kPanel <= channels; c += kPanel) block_moments<kVectors>(x + c, channels, n, Vec::width, r, t.first + c, t.second + c);
    for (; c < channels; c += Vec::width) {
      const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, channels - c));
      block_moments<1>(x + c, channels, n, lanes, r, t.first + c, t.second + c);
    }
  }
}

// Σ g and Σ g (x - mean) of each column, added to the totals.
RECEPTIVE_INLINE void column_products(const float* g, const float* x, const float* mean, int64_t rows, int64_t channels, const Totals& t) {
  for (int64_t r = 0; r < rows; r += kBlock, g += kBlock * channels, x += kBlock * channels) {
    const int64_t n = smaller(kBlock, rows - r);
    int64_t c = 0;
    for (; c + kPanel <= channels; c += kPanel) {
      block_products<kVectors>(g + c, x + c, channels, n, Vec::width, mean + c, t.first + c, t.second + c);
    }
    for (; c < channels; c += Vec::width) {
      const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, channels - c));
      block_products<1>(g + c, x + c, channels, n, lanes, mean + c, t.first + c, t.second + c);
    }
  }
}

// The length of rows a pass goes along: of one row, or of several where there are few channels, so that vectors are full.
RECEPTIVE_INLINE int64_t unit_of(int64_t rows, int64_t channels) {
  return channels * (channels < kPanel ? smaller(2 * kPanel / channels + 1, larger<int64_t>(rows, 1)) : 1);
}

// Repeats the first `channels` numbers along such a row.
RECEPTIVE_INLINE void repeat_along(float* numbers, int64_t channels, int64_t unit) {
  for (int64_t i = channels; i < unit; ++i) numbers[i] = numbers[i - channels];
}

// value(channel) along such a row.
template <class Value>
RECEPTIVE_INLINE const float* along_unit(int64_t channels, int64_t unit, Context& context, const Value& value) {
  float* out = static_cast<float*>(context.scratch(static_cast<size_t>(unit) * sizeof(float)));
  for (int64_t c = 0; c < channels; ++c) out[c] = static_cast<float>(value(c));
  repeat_along(out, channels, unit);
  return out;
}

// Calls body(i, c, lanes) for the vectors of the elements from begin to end, which begins a row: c is the place of element i in the unit.
template <class Body>
RECEPTIVE_INLINE void along_rows(int64_t begin, int64_t end, int64_t unit, const Body& body) {
  for (int64_t row = begin; row < end; row += unit) {
    const int64_t n = smaller(unit, end - row);
    int64_t c = 0;
    for (; c + Vec::width <= n; c += Vec::width) body(row + c, c, Vec::width);
    if (c < n) body(row + c, c, static_cast<int>(n - c));
  }
}

// The same for all of `size` elements, in chunks.
template <class Body>
RECEPTIVE_INLINE void along_rows(int64_t size, int64_t unit, Context& context, const Body& body) {
  split(context, size, kElementGrain, unit, [&](int64_t begin, int64_t end, int) {
    along_rows(begin, end, unit, body);
    end_far();
  });
}

}  // namespace receptive::RECEPTIVE_ISA
