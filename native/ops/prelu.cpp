#include "prelu.h"

#include <algorithm>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

template <class T>
void prelu(const PreluArgs<T>& a, Context&) {
  for (int64_t i = 0; i < a.rows * a.channels; ++i) a.y[i] = a.x[i] > 0 ? a.x[i] : a.weight[i % a.channels] * a.x[i];
}

template <class T>
void prelu_backward(const PreluBackwardArgs<T>& a, Context&) {
  if (a.dweight) std::fill_n(a.dweight, a.channels, T{0});
  for (int64_t i = 0; i < a.rows * a.channels; ++i) {
    const int64_t c = i % a.channels;
    const T x = a.x[i], g = a.g[i];
    if (a.dx) a.dx[i] = x > 0 ? g : a.weight[c] * g;
    if (a.dweight && !(x > 0)) a.dweight[c] += g * x;
  }
}

template void prelu<double>(const PreluArgs<double>&, Context&);
template void prelu_backward<double>(const PreluBackwardArgs<double>&, Context&);

}  // namespace reference

namespace {

// What forward and backward have in common: x, and a weight of one number or of one for each channel, the last axis of x.
void require_weight(const Call& call, const Tensor& x, const Tensor& weight, const char* what) {
  call.require_dtype(weight, x.dtype, what);
  call.require_rank(weight, 1, what);
  const int64_t n = weight.dims[0], channels = x.rank > 0 ? x.dims[x.rank - 1] : 1;
  call.require(n == 1 || n == channels, "%s has %lld numbers, expected 1 or %lld", what, static_cast<long long>(n),
               static_cast<long long>(channels));
}
void require_like(const Call& call, const Tensor& t, const Tensor& x, const char* what) {
  call.require_dtype(t, x.dtype, what);
  call.require_same_shape(t, x, what, "input");
}
int64_t rows_of(const Tensor& x, int64_t channels) { return channels > 0 ? x.size() / channels : 0; }

template <class T>
PreluArgs<T> args_of(const Call& call) {
  const Tensor &x = call.in(0), &weight = call.in(1);
  return {rows_of(x, weight.dims[0]), weight.dims[0], x.as<T>(), weight.as<T>(), call.in(2).as<T>()};
}

template <class T>
PreluBackwardArgs<T> backward_args_of(const Call& call) {
  const Tensor &x = call.in(0), &weight = call.in(1), *dx = call.optional(3), *dweight = call.optional(4);
  return {rows_of(x, weight.dims[0]),          weight.dims[0], x.as<T>(), weight.as<T>(), call.in(2).as<T>(), dx ? dx->as<T>() : nullptr,
          dweight ? dweight->as<T>() : nullptr};
}

}  // namespace

// x, weight [1] or [C], y. y may be x.
void record_prelu(Call& call) {
  const Tensor &x = call.in(0), &weight = call.in(1);
  call.require_float(x, "input");
  require_weight(call, x, weight, "weight");
  require_like(call, call.in(2), x, "output");
  call.require_apart(weight, call.in(2), "weight", "output");
  if (x.dtype == Dtype::float32) {
    call.submit(kernels().prelu, args_of<float>(call));
  } else {
    call.submit(reference::prelu<double>, args_of<double>(call));
  }
}

// x, weight, g, dx|0, dweight|0. dx may be x or g.
void record_prelu_backward(Call& call) {
  const Tensor &x = call.in(0), &weight = call.in(1), *dx = call.optional(3), *dweight = call.optional(4);
  call.require_float(x, "input");
  require_weight(call, x, weight, "weight");
  require_like(call, call.in(2), x, "gradient");
  if (dx) {
    require_like(call, *dx, x, "input's gradient");
    call.require_apart(weight, *dx, "weight", "input's gradient");
  }
  if (dweight) {
    call.require_dtype(*dweight, x.dtype, "weight's gradient");
    call.require_same_shape(*dweight, weight, "weight's gradient", "weight");
    for (const int i : {0, 1, 2}) call.require_apart(call.in(i), *dweight, "an input", "weight's gradient");
    if (dx) call.require_apart(*dx, *dweight, "input's gradient", "weight's gradient");
  }
  if (x.dtype == Dtype::float32) {
    call.submit(kernels().prelu_backward, backward_args_of<float>(call));
  } else {
    call.submit(reference::prelu_backward<double>, backward_args_of<double>(call));
  }
}

}  // namespace receptive
