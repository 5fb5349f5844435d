#include "softmax.h"

#include <algorithm>
#include <cmath>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

template <class T>
void softmax(const SoftmaxArgs<T>& a, Context&) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const T* x = a.x + r * a.columns;
    T* y = a.y + r * a.columns;
    const T top = a.columns > 0 ? *std::max_element(x, x + a.columns) : 0;
    T sum = 0;
    for (int64_t c = 0; c < a.columns; ++c) sum += std::exp(x[c] - top);
    for (int64_t c = 0; c < a.columns; ++c) y[c] = a.log ? x[c] - top - std::log(sum) : std::exp(x[c] - top) / sum;
  }
}

template <class T>
void softmax_backward(const SoftmaxBackwardArgs<T>& a, Context&) {
  for (int64_t r = 0; r < a.rows; ++r) {
    const T *y = a.y + r * a.columns, *g = a.g + r * a.columns;
    T* dx = a.dx + r * a.columns;
    T sum = 0;
    for (int64_t c = 0; c < a.columns; ++c) sum += a.log ? g[c] : g[c] * y[c];
    for (int64_t c = 0; c < a.columns; ++c) dx[c] = a.log ? g[c] - std::exp(y[c]) * sum : y[c] * (g[c] - sum);
  }
}

template void softmax<double>(const SoftmaxArgs<double>&, Context&);
template void softmax_backward<double>(const SoftmaxBackwardArgs<double>&, Context&);

}  // namespace reference

namespace {

int64_t columns_of(const Call& call, const Tensor& t, const char* what) {
  call.require(t.rank > 0, "%s is a scalar: it has no last axis", what);
  return t.dims[t.rank - 1];
}
int64_t rows_of(const Tensor& t, int64_t columns) { return columns > 0 ? t.size() / columns : 0; }

}  // namespace

// x, y; log. y may be x.
void record_softmax(Call& call) {
  const Tensor &x = call.in(0), &y = call.in(1);
  const int64_t columns = columns_of(call, x, "input");
  call.require_float(x, "input");
  call.require_dtype(y, x.dtype, "output");
  call.require_same_shape(y, x, "output", "input");
  const bool log = call.flag(0);
  if (x.dtype == Dtype::float32) {
    call.submit(kernels().softmax, SoftmaxArgs<float>{rows_of(x, columns), columns, log, x.as<float>(), y.as<float>()});
  } else {
    call.submit(reference::softmax<double>, SoftmaxArgs<double>{rows_of(x, columns), columns, log, x.as<double>(), y.as<double>()});
  }
}

// y, g, dx; log. dx may be g.
void record_softmax_backward(Call& call) {
  const Tensor &y = call.in(0), &g = call.in(1), &dx = call.in(2);
  const int64_t columns = columns_of(call, y, "output");
  call.require_float(y, "output");
  call.require_dtype(g, y.dtype, "gradient");
  call.require_dtype(dx, y.dtype, "input's gradient");
  call.require_same_shape(g, y, "gradient", "output");
  call.require_same_shape(dx, y, "input's gradient", "output");
  const bool log = call.flag(0);
  if (y.dtype == Dtype::float32) {
    call.submit(kernels().softmax_backward,
                SoftmaxBackwardArgs<float>{rows_of(y, columns), columns, log, y.as<float>(), g.as<float>(), dx.as<float>()});
  } else {
    call.submit(reference::softmax_backward<double>,
                SoftmaxBackwardArgs<double>{rows_of(y, columns), columns, log, y.as<double>(), g.as<double>(), dx.as<double>()});
  }
}

}  // namespace receptive
