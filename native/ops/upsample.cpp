#include "upsample.h"

#include <algorithm>
#include <cfloat>
#include <cmath>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

template <class T>
void resample(const ResampleArgs<T>& a, Context& context) {
  context.parallel(a.N, [&](int64_t n, int) {
    for (int64_t i = 0; i < a.OH; ++i) {
      for (int64_t j = 0; j < a.OW; ++j) {
        for (int64_t c = 0; c < a.C; ++c) {
          T sum = 0;
          for (int64_t k = a.rows.begin[i]; k < a.rows.begin[i + 1]; ++k) {
            for (int64_t l = a.columns.begin[j]; l < a.columns.begin[j + 1]; ++l) {
              sum += a.rows.weight[k] * a.columns.weight[l] * a.x[((n * a.H + a.rows.cell[k]) * a.W + a.columns.cell[l]) * a.C + c];
            }
          }
          a.y[((n * a.OH + i) * a.OW + j) * a.C + c] = sum;
        }
      }
    }
  });
}

template void resample<double>(const ResampleArgs<double>&, Context&);

}  // namespace reference

namespace {

enum class Mode { nearest, bilinear, bilinear_aligned };

// One axis of `size` cells resampled to `out`. Cells lie `scale` outputs apart; 0: as many as fit, out / size.
struct Axis {
  int64_t size, out;
  double scale;
};

// An output reads (1 - share) of the cell low and share, which is below 1, of the cell high.
struct Source {
  int64_t low, high;
  double share;
};

// Of the place where output i lies among the cells, which are 0, 1, 2, …: nearest takes the cell that begins there. Bilinear counts from
// the centres of cells and outputs, or, aligned, lays the centres of the first and of the last on each other.
Source source_of(Mode mode, const Axis& axis, int64_t i) {
  const auto last = static_cast<double>(axis.size - 1);
  if (mode == Mode::nearest) {
    const int64_t cell =
        axis.scale == 0 ? i * axis.size / axis.out : static_cast<int64_t>(std::min(std::floor(static_cast<double>(i) / axis.scale), last));
    return {cell, cell, 0};
  }
  double at = 0;
  if (mode == Mode::bilinear_aligned) {
    at = axis.out == 1 ? 0 : static_cast<double>(i) * last / static_cast<double>(axis.out - 1);
  } else {
    const double centre = static_cast<double>(i) + 0.5;
    at = (axis.scale == 0 ? centre * static_cast<double>(axis.size) / static_cast<double>(axis.out) : centre / axis.scale) - 0.5;
  }
  at = std::clamp(at, 0.0, last);
  const double low = std::floor(at);
  return {static_cast<int64_t>(low), static_cast<int64_t>(std::min(low + 1, last)), at - low};
}

// The matrix of an axis, or its transpose: for each cell the outputs that read it, in their order.
template <class T>
ResampledAxis<T> matrix_of(Mode mode, const Axis& axis, bool transposed, Context& context) {
  const int64_t lines = transposed ? axis.size : axis.out;
  auto* begin = static_cast<int64_t*>(context.scratch(static_cast<size_t>(lines + 1) * sizeof(int64_t)));
  auto* cell = static_cast<int64_t*>(context.scratch(static_cast<size_t>(2 * axis.out) * sizeof(int64_t)));
  auto* weight = static_cast<T*>(context.scratch(static_cast<size_t>(2 * axis.out) * sizeof(T)));
  const auto each_entry = [&](const auto& body) {
    for (int64_t i = 0; i < axis.out; ++i) {
      const Source s = source_of(mode, axis, i);
      const auto entry = [&](int64_t source, double w) { transposed ? body(source, i, w) : body(i, source, w); };
      entry(s.low, 1 - s.share);
      if (s.share > 0) entry(s.high, s.share);
    }
  };
  std::fill_n(begin, lines + 1, 0);
  each_entry([&](int64_t line, int64_t, double) { ++begin[line + 1]; });
  for (int64_t i = 0; i < lines; ++i) begin[i + 1] += begin[i];
  // filling a line moves its begin to the next one's, so all are moved back after that
  each_entry([&](int64_t line, int64_t at, double w) {
    cell[begin[line]] = at;
    weight[begin[line]++] = static_cast<T>(w);
  });
  for (int64_t i = lines; i > 0; --i) begin[i] = begin[i - 1];
  begin[0] = 0;
  return {begin, cell, weight};
}

template <class T>
struct UpsampleArgs {
  Mode mode;
  bool transposed;
  int64_t N, C;
  Axis rows, columns;
  const T* x;
  T* y;
  void (*resample)(const ResampleArgs<T>&, Context&);
};

template <class T>
void upsample(const UpsampleArgs<T>& a, Context& context) {
  if (a.N == 0 || a.C == 0) return;
  const ResampledAxis<T> rows = matrix_of<T>(a.mode, a.rows, a.transposed, context);
  const ResampledAxis<T> columns = matrix_of<T>(a.mode, a.columns, a.transposed, context);
  const auto args = [&](int64_t H, int64_t W, int64_t OH, int64_t OW) {
    return ResampleArgs<T>{a.N, H, W, a.C, OH, OW, rows, columns, a.x, a.y};
  };
  a.resample(a.transposed ? args(a.rows.out, a.columns.out, a.rows.size, a.columns.size)
                          : args(a.rows.size, a.columns.size, a.rows.out, a.columns.out),
             context);
}

void submit(Call& call, const Tensor& image, const Tensor& output, bool transposed) {
  call.require_float(image, "image");
  call.require_dtype(output, image.dtype, "output");
  call.require_rank(image, 4, "image");
  call.require_rank(output, 4, "output");
  const int64_t *x = image.dims, *y = output.dims;
  constexpr int64_t kLargest = int64_t{1} << 31;
  for (const int i : {1, 2}) {
    call.require(x[i] >= 1 && x[i] <= kLargest && y[i] >= 1 && y[i] <= kLargest,
                 "image has shape %s, output %s, expected 1 to %lld rows and columns", shape_text(image).c_str(),
                 shape_text(output).c_str(), static_cast<long long>(kLargest));
  }
  call.require(x[0] == y[0] && x[3] == y[3], "output has shape %s, image %s: batch and channels must agree", shape_text(output).c_str(),
               shape_text(image).c_str());
  call.require_apart(image, output, "image", "output");
  const Mode mode = static_cast<Mode>(call.integer(0, 0, 2));
  const Axis rows{x[1], y[1], call.number(1, 0, DBL_MAX)}, columns{x[2], y[2], call.number(2, 0, DBL_MAX)};
  const Tensor &from = transposed ? output : image, &to = transposed ? image : output;
  if (image.dtype == Dtype::float32) {
    call.submit(upsample<float>,
                UpsampleArgs<float>{mode, transposed, x[0], x[3], rows, columns, from.as<float>(), to.as<float>(), kernels().resample});
  } else {
    call.submit(upsample<double>, UpsampleArgs<double>{mode, transposed, x[0], x[3], rows, columns, from.as<double>(), to.as<double>(),
                                                       reference::resample<double>});
  }
}

}  // namespace

// x [N, H, W, C], y [N, OH, OW, C]; mode, scales along height and width (0: outputs over cells).
void record_upsample(Call& call) { submit(call, call.in(0), call.in(1), false); }

// g [N, OH, OW, C], dx [N, H, W, C]; the same.
void record_upsample_backward(Call& call) { submit(call, call.in(1), call.in(0), true); }

}  // namespace receptive
