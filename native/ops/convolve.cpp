// Discrete convolution of two signals of one or two axes, in full or a window of it. Correlation is convolution with the second flipped.
//
// Both methods compute in double and round once.
// Direct: a row of the output is summed in pieces that lie in the first cache, one tap at a time: sums += tap · (a row of the longer
// signal, moved).
// FFT: the spectrum of the shorter signal is multiplied with those of blocks of rows of the longer one. As the results are real, two
// blocks are transformed as one, the real and the imaginary part of a matrix. The transforms are cyclic: a block's length is such that
// what wraps around falls on places that are not wanted.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "chunks.h"
#include "fft.h"
#include "op.h"

namespace receptive {

namespace {

// y[o] = Σ_j f[j] g[o + start - j], o in [0, count): a window of the n + m - 1 places where the signals overlap.
struct Axis {
  int64_t n;      // of f
  int64_t m;      // of g
  int64_t start;  // of the window
  int64_t count;
  int64_t first;  // where the window begins in y, which may be larger; all around it is 0
};

// The window that `count` places of y, from place `start` on, have in common with the overlap.
Axis axis_of(int64_t n, int64_t m, int64_t start, int64_t count) {
  const int64_t first = std::clamp<int64_t>(-start, 0, count), end = std::clamp<int64_t>(n + m - 1 - start, first, count);
  return {n, m, start + first, end - first, first};
}

enum class Method : int32_t { automatic, direct, fft, count };

template <class T>
struct ConvolveArgs {
  Axis rows, columns;  // a signal of one axis has one row
  int64_t y_rows, y_columns;
  bool flip;  // g is taken from its end
  bool fft;
  const T* f;
  const T* g;
  T* y;
};

// How many pairs of indices add up to places in the window.
double products_along(const Axis& a) {
  const auto triangle = [](int64_t k) { return k > 0 ? static_cast<double>(k) * static_cast<double>(k + 1) / 2 : 0; };
  const auto below = [&](int64_t k) { return triangle(k) - triangle(k - a.n) - triangle(k - a.m) + triangle(k - a.n - a.m); };
  return below(a.start + a.count) - below(a.start);
}

// The length of a cyclic convolution that is right in the window: both signals fit, and what wraps around ends before the window.
int64_t cyclic_length(int64_t n, int64_t m, int64_t start, int64_t count) {
  return Fft::length_from(std::max({n, m, n + m - 1 - start, start + count}));
}

// Which rows of f a block of output rows needs: [first, end).
struct Rows {
  int64_t first, end;
};
Rows rows_for(const Axis& a, int64_t begin, int64_t count) {
  return {std::max<int64_t>(begin + a.start - (a.m - 1), 0), std::min(begin + count + a.start, a.n)};
}

// The output's rows in blocks, of which pairs are transformed as matrices of `rows` by `columns`.
struct FftPlan {
  int64_t block, pairs, rows, columns;
  double points() const { return static_cast<double>(rows) * static_cast<double>(columns); }
  // In multiplications of the direct method, of which a number takes about three for each step of its transform.
  double cost() const { return kFftCost * points() * static_cast<double>(2 * pairs + 1) * (std::log2(points()) + 4); }

  static constexpr double kFftCost = 3;
};

FftPlan plan_of(const Axis& rows, const Axis& columns) {
  const int64_t width = cyclic_length(columns.n, columns.m, columns.start, columns.count);
  FftPlan best{rows.count, 1, cyclic_length(rows.n, rows.m, rows.start, rows.count), width};
  for (int64_t multiple = 2;; multiple *= 2) {  // of the shorter signal, all of which but one is wasted on each block
    const int64_t padded = Fft::length_from(multiple * rows.m), block = padded - (rows.m - 1);
    if (block >= rows.count) return best;
    const FftPlan plan{block, ((rows.count + block - 1) / block + 1) / 2, padded, width};
    if (plan.cost() < best.cost()) best = plan;
  }
}

// How the FFT looks at it: one row as a column (it is the same memory), which can be cut into blocks; the signal of more rows first.
struct FftView {
  Axis rows, columns;
  bool one_row, exchanged;
};

void exchange(Axis* axis) { std::swap(axis->n, axis->m); }

FftView fft_view(Axis rows, Axis columns) {
  const bool one_row = rows.n == 1 && rows.m == 1;
  if (one_row) std::swap(rows, columns);
  const bool exchanged = rows.m > rows.n;
  if (exchanged) exchange(&rows), exchange(&columns);
  return {rows, columns, one_row, exchanged};
}

// An operand in double, so that the methods need not tell which it is.
struct Signal {
  const double* values;
  int64_t rows, columns;
};
template <class T>
Signal signal_of(const T* x, int64_t rows, int64_t columns, bool flip, Context& context) {
  const int64_t size = rows * columns;
  double* values = static_cast<double*>(context.scratch(static_cast<size_t>(size) * sizeof(double)));
  for (int64_t i = 0; i < size; ++i) values[i] = static_cast<double>(x[flip ? size - 1 - i : i]);
  return {values, rows, columns};
}

constexpr int64_t kPiece = 512;  // sums of a piece of a row

// store(row, column, sums, n) is given every piece of the overlap.
template <class Store>
void convolve_direct(const Axis& rows, const Axis& columns, const Signal& f, const Signal& g, Context& context, const Store& store) {
  const int64_t pieces = (columns.count + kPiece - 1) / kPiece;
  const double work = products_along(rows) * products_along(columns) / static_cast<double>(std::max<int64_t>(rows.count * pieces, 1));
  const int64_t grain = static_cast<int64_t>(4 * static_cast<double>(kChunk) / (work + 1));
  for_chunks(context, rows.count * pieces, grain, [&](int64_t begin, int64_t end) {
    double sums[kPiece];
    for (int64_t task = begin; task < end; ++task) {
      const int64_t row = task / pieces, column = task % pieces * kPiece, n = std::min(kPiece, columns.count - column);
      std::fill_n(sums, n, 0.0);
      const Rows needed = rows_for(rows, row, 1);
      for (int64_t i = needed.first; i < needed.end; ++i) {
        const double *source = f.values + i * f.columns, *taps = g.values + (row + rows.start - i) * g.columns;
        for (int64_t b = 0; b < g.columns; ++b) {
          const int64_t at = column + columns.start - b;  // of sums[0] in the row of f
          const int64_t first = std::max<int64_t>(-at, 0), last = std::min(f.columns - at, n);
          const double tap = taps[b];
          for (int64_t k = first; k < last; ++k) sums[k] += tap * source[at + k];
        }
      }
      store(row, column, sums, n);
    }
  });
}

constexpr int64_t kColumns = 8;  // transformed together: two cache lines of each row

// Transforms along both axes of a matrix [rows, wide], each row of which is a few of the second transform's length side by side.
struct Transforms {
  const Fft &along_rows, &along_columns;
  Complex* work;  // for each thread
  int64_t work_size;

  // The second axis of each row.
  void rows_of(Complex* z, int64_t first, int64_t end, int64_t wide, Context& context) const {
    const int64_t n = along_rows.length();
    if (n == 1) return;
    const int64_t per_row = wide / n, step = std::max<int64_t>(kChunk / 4 / n, 1), count = (end - first) * per_row;
    context.parallel((count + step - 1) / step, [&](int64_t chunk, int slot) {
      for (int64_t i = chunk * step; i < std::min((chunk + 1) * step, count); ++i) {
        along_rows.run(z + first * wide + i * n, work + slot * work_size, 1);
      }
    });
  }
  // The first axis of each column.
  void columns_of(Complex* z, int64_t wide, Context& context) const {
    const int64_t n = along_columns.length();
    if (n == 1) return;
    context.parallel((wide + kColumns - 1) / kColumns, [&](int64_t chunk, int slot) {
      const int64_t first = chunk * kColumns, columns = std::min(kColumns, wide - first);
      if (columns == wide) return along_columns.run(z, work + slot * work_size, columns);
      Complex *copy = work + slot * work_size, *rest = copy + n * columns;
      for (int64_t i = 0; i < n; ++i) std::memcpy(copy + i * columns, z + i * wide + first, static_cast<size_t>(columns) * sizeof(Complex));
      along_columns.run(copy, rest, columns);
      for (int64_t i = 0; i < n; ++i) std::memcpy(z + i * wide + first, copy + i * columns, static_cast<size_t>(columns) * sizeof(Complex));
    });
  }
};

Complex* complexes(int64_t n, Context& context) { return static_cast<Complex*>(context.scratch(static_cast<size_t>(n) * sizeof(Complex))); }

template <class Store>
void convolve_fft(const Axis& rows, const Axis& columns, const Signal& f, const Signal& g, Context& context, const Store& store) {
  const FftPlan plan = plan_of(rows, columns);
  const Fft along_rows(plan.columns, complexes(plan.columns, context)), along_columns(plan.rows, complexes(plan.rows, context));
  const int64_t width = plan.columns, wide = plan.pairs * width;
  const int64_t work = std::max(width, 2 * std::min(kColumns, wide) * plan.rows);
  const Transforms transforms{along_rows, along_columns, complexes(work * context.threads(), context), work};

  Complex* spectrum = complexes(plan.rows * width, context);  // of g
  std::fill_n(spectrum, plan.rows * width, Complex{0, 0});
  for (int64_t i = 0; i < g.rows; ++i) {
    for (int64_t j = 0; j < g.columns; ++j) spectrum[i * width + j].re = g.values[i * g.columns + j];
  }
  transforms.rows_of(spectrum, 0, g.rows, width, context);
  transforms.columns_of(spectrum, width, context);

  // [rows, pairs, columns]: the blocks of f
  Complex* z = complexes(plan.rows * wide, context);
  std::fill_n(z, plan.rows * wide, Complex{0, 0});
  const auto each_block = [&](const auto& body) {
    for (int64_t b = 0; b * plan.block < rows.count; ++b) {
      const int64_t begin = b * plan.block, count = std::min(plan.block, rows.count - begin);
      body(b / 2, b % 2 != 0, begin, count, rows_for(rows, begin, count));
    }
  };
  int64_t filled = 0;
  each_block([&](int64_t pair, bool second, int64_t, int64_t, const Rows& needed) {
    filled = std::max(filled, needed.end - needed.first);
    for (int64_t i = needed.first; i < needed.end; ++i) {
      Complex* to = z + (i - needed.first) * wide + pair * width;
      for (int64_t j = 0; j < f.columns; ++j) (second ? to[j].im : to[j].re) = f.values[i * f.columns + j];
    }
  });
  transforms.rows_of(z, 0, filled, wide, context);
  transforms.columns_of(z, wide, context);
  // The inverse transform is that of the conjugate, conjugated, over the number of points.
  const double scale = 1 / (static_cast<double>(plan.rows) * static_cast<double>(width));
  for_chunks(context, plan.rows * plan.pairs, kChunk / width, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Complex* factor = spectrum + i / plan.pairs * width;
      for (int64_t j = 0; j < width; ++j) {
        const Complex product = z[i * width + j] * factor[j];
        z[i * width + j] = {product.re * scale, -product.im * scale};
      }
    }
  });
  transforms.columns_of(z, wide, context);
  transforms.rows_of(z, 0, plan.rows, wide, context);
  each_block([&](int64_t pair, bool second, int64_t begin, int64_t count, const Rows& needed) {
    double sums[kPiece];
    for (int64_t row = begin; row < begin + count; ++row) {
      const Complex* from = z + (row + rows.start - needed.first) * wide + pair * width + columns.start;
      for (int64_t column = 0; column < columns.count; column += kPiece) {
        const int64_t n = std::min(kPiece, columns.count - column);
        for (int64_t k = 0; k < n; ++k) sums[k] = second ? -from[column + k].im : from[column + k].re;
        store(row, column, sums, n);
      }
    }
  });
}

template <class T>
void convolve(const ConvolveArgs<T>& a, Context& context) {
  if (a.rows.count < a.y_rows || a.columns.count < a.y_columns) std::fill_n(a.y, a.y_rows * a.y_columns, T{0});
  if (a.rows.count == 0 || a.columns.count == 0) return;
  Signal f = signal_of(a.f, a.rows.n, a.columns.n, false, context), g = signal_of(a.g, a.rows.m, a.columns.m, a.flip, context);
  if (a.fft) {
    const FftView view = fft_view(a.rows, a.columns);
    if (view.one_row) std::swap(f.rows, f.columns), std::swap(g.rows, g.columns);
    if (view.exchanged) std::swap(f, g);
    const int64_t wide = view.one_row ? 1 : a.y_columns;
    return convolve_fft(view.rows, view.columns, f, g, context, [&](int64_t row, int64_t column, const double* sums, int64_t n) {
      std::copy_n(sums, n, a.y + (row + view.rows.first) * wide + column + view.columns.first);
    });
  }
  Axis rows = a.rows, columns = a.columns;
  if (g.columns > f.columns) {  // taps are those of the shorter rows
    exchange(&rows), exchange(&columns);
    std::swap(f, g);
  }
  convolve_direct(rows, columns, f, g, context, [&](int64_t row, int64_t column, const double* sums, int64_t n) {
    std::copy_n(sums, n, a.y + (row + rows.first) * a.y_columns + column + columns.first);
  });
}

constexpr int64_t kFarthest = int64_t{1} << 40;  // a window may start
constexpr double kMostPoints = 1e12;             // of a transform: sizes in bytes stay far from wrapping

template <class T>
void submit(Call& call) {
  const Tensor &f = call.in(0), &g = call.in(1), &y = call.in(2);
  const auto method = static_cast<Method>(call.integer(1, 0, static_cast<int64_t>(Method::count) - 1));
  const int last = f.rank - 1;
  const auto axis = [&](int d) { return axis_of(f.dims[d], g.dims[d], call.integer(2 + d, -kFarthest, kFarthest), y.dims[d]); };
  ConvolveArgs<T> args{f.rank == 2 ? axis(0) : Axis{1, 1, 0, 1, 0},
                       axis(last),
                       f.rank == 2 ? y.dims[0] : 1,
                       y.dims[last],
                       call.flag(0),
                       false,
                       f.as<T>(),
                       g.as<T>(),
                       y.as<T>()};
  if (method != Method::direct && args.rows.count > 0 && args.columns.count > 0) {
    const FftView view = fft_view(args.rows, args.columns);
    const FftPlan plan = plan_of(view.rows, view.columns);
    const bool fits = plan.points() * static_cast<double>(plan.pairs) <= kMostPoints;
    call.require(fits || method != Method::fft, "signals of shapes %s and %s are too large to be transformed", shape_text(f).c_str(),
                 shape_text(g).c_str());
    args.fft = fits && (method == Method::fft || plan.cost() < products_along(args.rows) * products_along(args.columns));
  }
  call.submit(convolve<T>, args);
}

}  // namespace

// f, g, y, each [n] or [rows, columns]; flip, method, where y starts in the full convolution along each axis (0 for the second of one).
// y may start before it and end behind it: there it is 0.
void record_convolve(Call& call) {
  const Tensor &f = call.in(0), &g = call.in(1), &y = call.in(2);
  call.require_float(f, "first signal");
  call.require(f.rank == 1 || f.rank == 2, "first signal has shape %s, expected rank 1 or 2", shape_text(f).c_str());
  for (const int i : {1, 2}) {
    const char* what = i == 1 ? "second signal" : "output";
    call.require_dtype(call.in(i), f.dtype, what);
    call.require_rank(call.in(i), f.rank, what);
  }
  call.require(f.size() > 0 && g.size() > 0, "signals of shapes %s and %s: one is empty", shape_text(f).c_str(), shape_text(g).c_str());
  call.require_apart(f, y, "first signal", "output");
  call.require_apart(g, y, "second signal", "output");
  if (f.dtype == Dtype::float32) {
    submit<float>(call);
  } else {
    submit<double>(call);
  }
}

}  // namespace receptive
