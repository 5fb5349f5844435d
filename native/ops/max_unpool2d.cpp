#include "max_unpool2d.h"

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

template <class T>
void max_unpool2d_backward(const MaxUnpool2dBackwardArgs<T>& args, Context& context) {
  const Windows& w = args.w;
  context.parallel(w.N, [&](int64_t n, int) {
    for (int64_t i = 0; i < w.OH; ++i) {
      for (int64_t j = 0; j < w.OW; ++j) {
        const Reach rows = row_reach(w, i), columns = column_reach(w, j);
        for (int64_t c = 0; c < w.C; ++c) {
          const int64_t at = ((n * w.OH + i) * w.OW + j) * w.C + c;
          const int64_t where = args.argmax.narrow ? args.argmax.narrow[at] : args.argmax.wide[at], a = where / w.kw, b = where % w.kw;
          const int64_t row = rows.start + a * w.dh, column = columns.start + b * w.dw;
          const bool inside = where >= 0 && a < rows.taps && row >= 0 && row < w.H && column >= 0 && column < w.W;
          args.dy[at] = inside ? args.g[((n * w.H + row) * w.W + column) * w.C + c] : T{0};
        }
      }
    }
  });
}

template void max_unpool2d_backward<float>(const MaxUnpool2dBackwardArgs<float>&, Context&);
template void max_unpool2d_backward<double>(const MaxUnpool2dBackwardArgs<double>&, Context&);

}  // namespace reference

// g [N, H, W, C], argmax [N, OH, OW, C], dy as argmax; kh, kw, sh, sw, top, right, bottom, left, dh, dw of the pool.
void record_max_unpool2d_backward(Call& call) {
  const Tensor &g = call.in(0), &dy = call.in(2);
  call.require_float(g, "gradient");
  call.require_dtype(dy, g.dtype, "input's gradient");
  const Windows w = windows_of(call, g, dy);
  const Argmax argmax = argmax_of(call, w, call.in(1), dy);
  call.require_apart(g, dy, "gradient", "input's gradient");
  if (g.dtype == Dtype::float32) {
    const MaxUnpool2dBackwardArgs<float> args{w, g.as<float>(), argmax, dy.as<float>()};
    call.submit(argmax.narrow ? kernels().max_unpool2d_backward : reference::max_unpool2d_backward<float>, args);
  } else {
    call.submit(reference::max_unpool2d_backward<double>, MaxUnpool2dBackwardArgs<double>{w, g.as<double>(), argmax, dy.as<double>()});
  }
}

}  // namespace receptive
