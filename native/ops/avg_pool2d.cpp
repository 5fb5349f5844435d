#include "avg_pool2d.h"

#include <algorithm>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

namespace {

// Calls each(row, column) for the cells of output (i, j)'s window that lie in the image. Returns what their sum is divided by.
template <class Each>
int64_t each_cell(const Windows& w, bool count_padding, int64_t i, int64_t j, const Each& each) {
  const Reach rows = row_reach(w, i), columns = column_reach(w, j);
  int64_t inside = 0, padded = 0;
  for (int64_t a = 0; a < rows.taps; ++a) {
    for (int64_t b = 0; b < columns.taps; ++b) {
      const int64_t row = rows.start + a * w.dh, column = columns.start + b * w.dw;
      if (row < w.H + w.bottom && column < w.W + w.right) ++padded;
      if (row < 0 || row >= w.H || column < 0 || column >= w.W) continue;
      ++inside;
      each(row, column);
    }
  }
  return std::max<int64_t>(count_padding ? padded : inside, 1);
}

}  // namespace

template <class T>
void avg_pool2d(const AvgPool2dArgs<T>& args, Context& context) {
  const Windows& w = args.w;
  context.parallel(w.N, [&](int64_t n, int) {
    for (int64_t i = 0; i < w.OH; ++i) {
      for (int64_t j = 0; j < w.OW; ++j) {
        for (int64_t c = 0; c < w.C; ++c) {
          T sum = 0;
          const int64_t count = each_cell(w, args.count_padding, i, j,
                                          [&](int64_t row, int64_t column) { sum += args.x[((n * w.H + row) * w.W + column) * w.C + c]; });
          args.y[((n * w.OH + i) * w.OW + j) * w.C + c] = sum / static_cast<T>(count);
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
        const int64_t count = each_cell(w, args.count_padding, i, j, [](int64_t, int64_t) {});
        each_cell(w, args.count_padding, i, j, [&](int64_t row, int64_t column) {
          for (int64_t c = 0; c < w.C; ++c) {
            args.dx[((n * w.H + row) * w.W + column) * w.C + c] += args.g[((n * w.OH + i) * w.OW + j) * w.C + c] / static_cast<T>(count);
          }
        });
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

// x [N, H, W, C], y [N, OH, OW, C]; kh, kw, sh, sw, top, right, bottom, left, dh, dw, count padding.
void record_avg_pool2d(Call& call) { submit_forward(call, windows_of(call, call.in(0), call.in(1)), call.flag(10)); }

// g [N, OH, OW, C], dx [N, H, W, C]; the same.
void record_avg_pool2d_backward(Call& call) { submit_backward(call, windows_of(call, call.in(1), call.in(0)), call.flag(10)); }

// The same of adaptive windows, without attributes.
void record_adaptive_avg_pool2d(Call& call) { submit_forward(call, adaptive_windows_of(call, call.in(0), call.in(1)), false); }
void record_adaptive_avg_pool2d_backward(Call& call) { submit_backward(call, adaptive_windows_of(call, call.in(1), call.in(0)), false); }

}  // namespace receptive
