#include "avg_pool2d.h"

#include <algorithm>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

namespace {

// The cells of output (i, j)'s window that lie in the image, and what their sum is divided by.
struct Extent {
  int64_t row_begin, row_end, column_begin, column_end;
  int64_t count;
};

Extent extent_of(const Windows& w, bool count_padding, int64_t i, int64_t j) {
  const Reach rows = row_reach(w, i), columns = column_reach(w, j);
  const int64_t row = rows.start, column = columns.start, row_end = row + rows.taps, column_end = column + columns.taps;
  const Extent e{std::max<int64_t>(row, 0), std::min(row_end, w.H), std::max<int64_t>(column, 0), std::min(column_end, w.W), 0};
  const int64_t inside = std::max<int64_t>(e.row_end - e.row_begin, 0) * std::max<int64_t>(e.column_end - e.column_begin, 0);
  const int64_t padded = (std::min(row_end, w.H + w.bottom) - row) * (std::min(column_end, w.W + w.right) - column);
  return {e.row_begin, e.row_end, e.column_begin, e.column_end, std::max<int64_t>(count_padding ? padded : inside, 1)};
}

}  // namespace

template <class T>
void avg_pool2d(const AvgPool2dArgs<T>& args, Context& context) {
  const Windows& w = args.w;
  context.parallel(w.N, [&](int64_t n, int) {
    for (int64_t i = 0; i < w.OH; ++i) {
      for (int64_t j = 0; j < w.OW; ++j) {
        const Extent e = extent_of(w, args.count_padding, i, j);
        for (int64_t c = 0; c < w.C; ++c) {
          T sum = 0;
          for (int64_t row = e.row_begin; row < e.row_end; ++row) {
            for (int64_t column = e.column_begin; column < e.column_end; ++column) {
              sum += args.x[((n * w.H + row) * w.W + column) * w.C + c];
            }
          }
          args.y[((n * w.OH + i) * w.OW + j) * w.C + c] = sum / static_cast<T>(e.count);
        }
      }
    }
  });
}

template <class T>
void avg_pool2d_backward(const AvgPool2dBackwardArgs<T>& args, Context& context) {
  const Windows& w = args.w;
  context.parallel(w.N, [&](int64_t n, int) {
    std::fill_n(args.dx + n * w.H * w.W * w.C, w.H * w.W * w.C, T{0});
    for (int64_t i = 0; i < w.OH; ++i) {
      for (int64_t j = 0; j < w.OW; ++j) {
        const Extent e = extent_of(w, args.count_padding, i, j);
        for (int64_t row = e.row_begin; row < e.row_end; ++row) {
          for (int64_t column = e.column_begin; column < e.column_end; ++column) {
            for (int64_t c = 0; c < w.C; ++c) {
              args.dx[((n * w.H + row) * w.W + column) * w.C + c] +=
                  args.g[((n * w.OH + i) * w.OW + j) * w.C + c] / static_cast<T>(e.count);
            }
          }
        }
      }
    }
  });
}

template void avg_pool2d<double>(const AvgPool2dArgs<double>&, Context&);
template void avg_pool2d_backward<double>(const AvgPool2dBackwardArgs<double>&, Context&);

}  // namespace reference

namespace {

// x, y.
void submit_forward(Call& call, const Windows& w, bool count_padding) {
  const Tensor &x = call.in(0), &y = call.in(1);
  call.require_float(x, "input");
  call.require_dtype(y, x.dtype, "output");
  call.require_apart(x, y, "input", "output");
  if (x.dtype == Dtype::float32) {
    call.submit(kernels().avg_pool2d, AvgPool2dArgs<float>{w, count_padding, x.as<float>(), y.as<float>()});
  } else {
    call.submit(reference::avg_pool2d<double>, AvgPool2dArgs<double>{w, count_padding, x.as<double>(), y.as<double>()});
  }
}

// g, dx.
void submit_backward(Call& call, const Windows& w, bool count_padding) {
  const Tensor &g = call.in(0), &dx = call.in(1);
  call.require_float(g, "gradient");
  call.require_dtype(dx, g.dtype, "input's gradient");
  call.require_apart(g, dx, "gradient", "input's gradient");
  if (g.dtype == Dtype::float32) {
    call.submit(kernels().avg_pool2d_backward, AvgPool2dBackwardArgs<float>{w, count_padding, g.as<float>(), dx.as<float>()});
  } else {
    call.submit(reference::avg_pool2d_backward<double>, AvgPool2dBackwardArgs<double>{w, count_padding, g.as<double>(), dx.as<double>()});
  }
}

}  // namespace

// x [N, H, W, C], y [N, OH, OW, C]; kh, kw, sh, sw, top, right, bottom, left, count padding.
void record_avg_pool2d(Call& call) { submit_forward(call, windows_of(call, call.in(0), call.in(1), false), call.flag(8)); }

// g [N, OH, OW, C], dx [N, H, W, C]; the same.
void record_avg_pool2d_backward(Call& call) { submit_backward(call, windows_of(call, call.in(1), call.in(0), false), call.flag(8)); }

// The same of adaptive windows, without attributes.
void record_adaptive_avg_pool2d(Call& call) { submit_forward(call, adaptive_windows_of(call, call.in(0), call.in(1)), false); }
void record_adaptive_avg_pool2d_backward(Call& call) { submit_backward(call, adaptive_windows_of(call, call.in(1), call.in(0)), false); }

}  // namespace receptive
