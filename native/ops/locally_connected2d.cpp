#include "locally_connected2d.h"

#include <algorithm>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

namespace {

// Calls term(x index, w index, y index) for every product of the sum above.
template <class Term>
void each_term(const Conv2dShape& s, const Term& term) {
  for (int64_t n = 0; n < s.N; ++n)
    for (int64_t i = 0; i < s.OH; ++i)
      for (int64_t j = 0; j < s.OW; ++j)
        for (int64_t a = 0; a < s.kh; ++a)
          for (int64_t b = 0; b < s.kw; ++b) {
            const int64_t h = i * s.sh - s.top + a * s.dh, w = j * s.sw - s.left + b * s.dw;
            if (h < 0 || h >= s.H || w < 0 || w >= s.W) continue;
            for (int64_t c = 0; c < s.C; ++c)
              for (int64_t k = 0; k < s.K; ++k)
                term(((n * s.H + h) * s.W + w) * s.C + c, ((((i * s.OW + j) * s.kh + a) * s.kw + b) * s.C + c) * s.K + k,
                     ((n * s.OH + i) * s.OW + j) * s.K + k);
          }
}

}  // namespace

template <class T>
void locally_connected2d(const LocallyConnected2dArgs<T>& a, Context&) {
  const Conv2dShape& s = a.shape;
  const int64_t image = s.OH * s.OW * s.K;
  for (int64_t i = 0; i < s.N * image; ++i) a.y[i] = a.b ? a.b[i % image] : 0;
  each_term(s, [&](int64_t x, int64_t w, int64_t y) { a.y[y] += a.x[x] * a.w[w]; });
}

template <class T>
void locally_connected2d_backward_input(const LocallyConnected2dBackwardInputArgs<T>& a, Context&) {
  const Conv2dShape& s = a.shape;
  std::fill_n(a.dx, s.N * s.H * s.W * s.C, T{0});
  each_term(s, [&](int64_t x, int64_t w, int64_t y) { a.dx[x] += a.g[y] * a.w[w]; });
}

template <class T>
void locally_connected2d_backward_weight(const LocallyConnected2dBackwardWeightArgs<T>& a, Context&) {
  const Conv2dShape& s = a.shape;
  std::fill_n(a.dw, s.OH * s.OW * s.kh * s.kw * s.C * s.K, T{0});
  each_term(s, [&](int64_t x, int64_t w, int64_t y) { a.dw[w] += a.x[x] * a.g[y]; });
}

template void locally_connected2d<double>(const LocallyConnected2dArgs<double>&, Context&);
template void locally_connected2d_backward_input<double>(const LocallyConnected2dBackwardInputArgs<double>&, Context&);
template void locally_connected2d_backward_weight<double>(const LocallyConnected2dBackwardWeightArgs<double>&, Context&);

}  // namespace reference

namespace {

// Holds input [N,H,W,C], weight [OH,OW,kh,kw,C,K] and output [N,OH,OW,K] against each other and the attributes of conv2d_shape.
Conv2dShape check(const Call& call, const Tensor& x, const Tensor& w, const Tensor& y) {
  call.require_rank(w, 6, "weight");
  const Conv2dShape s = conv2d_shape(call, x, w.dims[2], w.dims[3], y);
  call.require_dtype(w, x.dtype, "weight");
  call.require(w.dims[0] == s.OH && w.dims[1] == s.OW && w.dims[4] == s.C && w.dims[5] == s.K,
               "weight has shape %s, expected [%lld,%lld,%lld,%lld,%lld,%lld]", shape_text(w).c_str(), static_cast<long long>(s.OH),
               static_cast<long long>(s.OW), static_cast<long long>(s.kh), static_cast<long long>(s.kw), static_cast<long long>(s.C),
               static_cast<long long>(s.K));
  return s;
}

}  // namespace

// x, w, b|0, y; sh, sw, padTop, padRight, padBottom, padLeft, dh, dw
void record_locally_connected2d(Call& call) {
  const Tensor &x = call.in(0), &w = call.in(1), &y = call.in(3);
  const Tensor* b = call.optional(2);
  const Conv2dShape s = check(call, x, w, y);
  if (b) {
    call.require_dtype(*b, x.dtype, "bias");
    call.require(b->rank == 3 && b->dims[0] == s.OH && b->dims[1] == s.OW && b->dims[2] == s.K,
                 "bias has shape %s, expected [%lld,%lld,%lld]", shape_text(*b).c_str(), static_cast<long long>(s.OH),
                 static_cast<long long>(s.OW), static_cast<long long>(s.K));
  }
  call.require_apart(x, y, "input", "output");
  if (x.dtype == Dtype::float32) {
    call.submit(kernels().locally_connected2d,
                LocallyConnected2dArgs<float>{s, x.as<float>(), w.as<float>(), b ? b->as<float>() : nullptr, y.as<float>()});
  } else {
    call.submit(reference::locally_connected2d<double>,
                LocallyConnected2dArgs<double>{s, x.as<double>(), w.as<double>(), b ? b->as<double>() : nullptr, y.as<double>()});
  }
}

// g, w, dx; the same attributes
void record_locally_connected2d_backward_input(Call& call) {
  const Tensor &g = call.in(0), &w = call.in(1), &dx = call.in(2);
  const Conv2dShape s = check(call, dx, w, g);
  call.require_apart(g, dx, "gradient", "input's gradient");
  if (g.dtype == Dtype::float32) {
    call.submit(kernels().locally_connected2d_backward_input,
                LocallyConnected2dBackwardInputArgs<float>{s, g.as<float>(), w.as<float>(), dx.as<float>()});
  } else {
    call.submit(reference::locally_connected2d_backward_input<double>,
                LocallyConnected2dBackwardInputArgs<double>{s, g.as<double>(), w.as<double>(), dx.as<double>()});
  }
}

// x, g, dw; the same attributes
void record_locally_connected2d_backward_weight(Call& call) {
  const Tensor &x = call.in(0), &g = call.in(1), &dw = call.in(2);
  const Conv2dShape s = check(call, x, dw, g);
  call.require_apart(x, dw, "input", "weight's gradient");
  call.require_apart(g, dw, "gradient", "weight's gradient");
  if (g.dtype == Dtype::float32) {
    call.submit(kernels().locally_connected2d_backward_weight,
                LocallyConnected2dBackwardWeightArgs<float>{s, x.as<float>(), g.as<float>(), dw.as<float>()});
  } else {
    call.submit(reference::locally_connected2d_backward_weight<double>,
                LocallyConnected2dBackwardWeightArgs<double>{s, x.as<double>(), g.as<double>(), dw.as<double>()});
  }
}

}  // namespace receptive
