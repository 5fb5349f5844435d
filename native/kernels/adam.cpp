// One pass over parameter, gradient and both moments.
#include "../ops/adam.h"

#include "../simd/vec.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

void adam(const AdamArgs<float>&, Context&);

void adam(const AdamArgs<float>& a, Context& context) {
  const Vec beta1 = broadcast(a.beta1), beta2 = broadcast(a.beta2), fresh1 = broadcast(a.one_minus_beta1),
            fresh2 = broadcast(a.one_minus_beta2);
  const Vec eps = broadcast(a.eps), decay = broadcast(a.grad_decay), param_scale = broadcast(a.param_scale), v_scale = broadcast(a.v_scale);
  const Vec minus_step = broadcast(-a.step_size);
  each(context, a.size, [&](int64_t i, int n) {
    const Vec param = load_some(a.param + i, n), g = fma(decay, param, load_some(a.grad + i, n));
    const Vec m = fma(beta1, load_some(a.m + i, n), fresh1 * g);
    const Vec v = fma(beta2, load_some(a.v + i, n), fresh2 * g * g);
    store_some(a.m + i, m, n);
    store_some(a.v + i, v, n);
    store_some(a.param + i, fma(param_scale, param, minus_step * m / fma(sqrt(v), v_scale, eps)), n);
  });
}

}  // namespace receptive::RECEPTIVE_ISA
