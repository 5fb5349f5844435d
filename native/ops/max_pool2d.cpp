#include "max_pool2d.h"

#include <algorithm>
#include <limits>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

namespace {

// The first tap of a window at `start` that does not lie before the image: a window over much padding has taps without number.
int64_t first_inside(int64_t start, int64_t dilation) { return start >= 0 ? 0 : (dilation - 1 - start) / dilation; }

}  // namespace

template <class T>
void max_pool2d(const MaxPool2dArgs<T>& args, Context& context) {
  const Windows& w = args.w;
  context.parallel(w.N, [&](int64_t n, int) {
    for (int64_t i = 0; i < w.OH; ++i) {
      for (int64_t j = 0; j < w.OW; ++j) {
        for (int64_t c = 0; c < w.C; ++c) {
          T best = -std::numeric_limits<T>::infinity();
          int64_t where = -1;
          const Reach rows = row_reach(w, i), columns = column_reach(w, j);
          for (int64_t a = first_inside(rows.start, w.dh); a < rows.taps && rows.start + a * w.dh < w.H; ++a) {
            for (int64_t b = first_inside(columns.start, w.dw); b < columns.taps && columns.start + b * w.dw < w.W; ++b) {
              const T x = args.x[((n * w.H + rows.start + a * w.dh) * w.W + columns.start + b * w.dw) * w.C + c];
              if (where < 0 || x > best || x != x) {
                best = x;
                where = a * w.kw + b;
              }
            }
          }
          const int64_t at = ((n * w.OH + i) * w.OW + j) * w.C + c;
          args.y[at] = clipped(best, args.clip);
          if (args.argmax.narrow) args.argmax.narrow[at] = static_cast<uint8_t>(std::max<int64_t>(where, 0));
          if (args.argmax.wide) args.argmax.wide[at] = static_cast<int32_t>(std::max<int64_t>(where, 0));
        }
      }
    }
  });
}

template <class T>
void max_pool2d_backward(const MaxPool2dBackwardArgs<T>& args, Context& context) {
  const Windows& w = args.w;
  context.parallel(w.N, [&](int64_t n, int) {
    std::fill_n(args.dx + n * w.H * w.W * w.C, w.H * w.W * w.C, T{0});
    for (int64_t i = 0; i < w.OH; ++i) {
      for (int64_t j = 0; j < w.OW; ++j) {
        const Reach rows = row_reach(w, i), columns = column_reach(w, j);
        for (int64_t c = 0; c < w.C; ++c) {
          const int64_t at = ((n * w.OH + i) * w.OW + j) * w.C + c;
          const int64_t where = args.argmax.narrow ? args.argmax.narrow[at] : args.argmax.wide[at], a = where / w.kw, b = where % w.kw;
          if (where < 0 || a >= rows.taps || b >= columns.taps) continue;
          const int64_t row = rows.start + a * w.dh, column = columns.start + b * w.dw;
          if (row < 0 || row >= w.H || column < 0 || column >= w.W) continue;
          args.dx[((n * w.H + row) * w.W + column) * w.C + c] += args.g[at];
        }
      }
    }
  });
}

template void max_pool2d<float>(const MaxPool2dArgs<float>&, Context&);
template void max_pool2d<double>(const MaxPool2dArgs<double>&, Context&);
template void max_pool2d_backward<float>(const MaxPool2dBackwardArgs<float>&, Context&);
template void max_pool2d_backward<double>(const MaxPool2dBackwardArgs<double>&, Context&);

}  // namespace reference

Argmax argmax_of(const Call& call, const Windows& w, const Tensor& argmax, const Tensor& output) {
  call.require(w.kh * w.kw <= std::numeric_limits<int32_t>::max(), "windows of %lld x %lld cells", static_cast<long long>(w.kh),
               static_cast<long long>(w.kw));
  const bool narrow = w.kh * w.kw <= 256;
  call.require_dtype(argmax, narrow ? Dtype::uint8 : Dtype::int32, "argmax");
  call.require_same_shape(argmax, output, "argmax", "output");
  return narrow ? Argmax{argmax.as<uint8_t>(), nullptr} : Argmax{nullptr, argmax.as<int32_t>()};
}

namespace {

// Whether the kernel, which counts cells in floats, can say where in the window a maximum lies.
bool fits_float(const Windows& w) { return w.kh * w.kw <= int64_t{1} << 24; }

// x, y, argmax|0.
void submit_forward(Call& call, const Windows& w, const Clip& clip) {
  const Tensor &x = call.in(0), &y = call.in(1), *argmax = call.optional(2);
  call.require_float(x, "input");
  call.require_dtype(y, x.dtype, "output");
  const Argmax where = argmax ? argmax_of(call, w, *argmax, y) : Argmax{};
  call.require_apart(x, y, "input", "output");
  if (x.dtype == Dtype::float32) {
    const MaxPool2dArgs<float> args{w, x.as<float>(), y.as<float>(), where, clip};
    call.submit(argmax == nullptr || fits_float(w) ? kernels().max_pool2d : reference::max_pool2d<float>, args);
  } else {
    call.submit(reference::max_pool2d<double>, MaxPool2dArgs<double>{w, x.as<double>(), y.as<double>(), where, clip});
  }
}

// g, argmax, dx.
void submit_backward(Call& call, const Windows& w) {
  const Tensor &g = call.in(0), &dx = call.in(2);
  call.require_float(g, "gradient");
  call.require_dtype(dx, g.dtype, "input's gradient");
  const Argmax argmax = argmax_of(call, w, call.in(1), g);
  call.require_apart(g, dx, "gradient", "input's gradient");
  if (g.dtype == Dtype::float32) {
    const MaxPool2dBackwardArgs<float> args{w, g.as<float>(), argmax, dx.as<float>()};
    call.submit(argmax.narrow ? kernels().max_pool2d_backward : reference::max_pool2d_backward<float>, args);
  } else {
    call.submit(reference::max_pool2d_backward<double>, MaxPool2dBackwardArgs<double>{w, g.as<double>(), argmax, dx.as<double>()});
  }
}

}  // namespace

// x [N, H, W, C], y [N, OH, OW, C], argmax|0 as y; kh, kw, sh, sw, top, right, bottom, left, dh, dw, low, high.
void record_max_pool2d(Call& call) { submit_forward(call, windows_of(call, call.in(0), call.in(1)), clip_of(call, 10)); }

// g [N, OH, OW, C], argmax as g, dx [N, H, W, C]; the same but low and high.
void record_max_pool2d_backward(Call& call) { submit_backward(call, windows_of(call, call.in(2), call.in(0))); }

// The same of adaptive windows, without attributes.
void record_adaptive_max_pool2d(Call& call) { submit_forward(call, adaptive_windows_of(call, call.in(0), call.in(1)), {}); }
void record_adaptive_max_pool2d_backward(Call& call) { submit_backward(call, adaptive_windows_of(call, call.in(2), call.in(0))); }

}  // namespace receptive
