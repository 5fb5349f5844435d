// Softmax: a row at a time, which stays in the first cache over its three passes: maximum, exponentials and their sum, scaling.
#include "../ops/softmax.h"

#include "softmax_row.h"

namespace receptive::RECEPTIVE_ISA {

void softmax(const SoftmaxArgs<float>&, Context&);
void softmax_backward(const SoftmaxBackwardArgs<float>&, Context&);

template <class F>
RECEPTIVE_INLINE void map_row(const float* x, float* y, int64_t n, const F& f) {
  for (int64_t i = 0; i < n; i += Vec::width) {
    const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, n - i));
    store_some(y + i, f(load_some(x + i, lanes)), lanes);
  }
}

void softmax(const SoftmaxArgs<float>& a, Context& context) {
  if (a.columns == 0) return;
  split(context, a.rows, kExponentialGrain / a.columns, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      const float* x = a.x + r * a.columns;
      float* y = a.y + r * a.columns;
      const float top = row_max(x, a.columns);
      if (a.log) {
        const Vec shift = broadcast(top), log_sum = broadcast(logf(row_exp(x, a.columns, top, nullptr)));
        map_row(x, y, a.columns, [&](Vec v) { return v - shift - log_sum; });
      } else {
        const Vec scale = broadcast(1 / row_exp(x, a.columns, top, y));
        map_row(y, y, a.columns, [&](Vec v) { return v * scale; });
      }
    }
  });
}

void softmax_backward(const SoftmaxBackwardArgs<float>& a, Context& context) {
  if (a.columns == 0) return;
  split(context, a.rows, kExponentialGrain / a.columns, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      const float *y = a.y + r * a.columns, *g = a.g + r * a.columns;
      float* dx = a.dx + r * a.columns;
      Vec sums = zero();
      for (int64_t i = 0; i < a.columns; i += Vec::width) {
        const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, a.columns - i));
        const Vec gv = load_some(g + i, lanes);
        sums = a.log ? sums + gv : fma(gv, load_some(y + i, lanes), sums);
      }
      const Vec sum = broadcast(reduce_add(sums));
      for (int64_t i = 0; i < a.columns; i += Vec::width) {
        const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, a.columns - i));
        const Vec yv = load_some(y + i, lanes), gv = load_some(g + i, lanes);
        store_some(dx + i, a.log ? gv - exp(yv) * sum : yv * (gv - sum), lanes);
      }
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
