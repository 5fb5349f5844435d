// One pass over parameter, gradient and velocity.
#include "../ops/sgd.h"

#include "../simd/vec.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

void sgd(const SgdArgs<float>&, Context&);

void sgd(const SgdArgs<float>& a, Context& context) {
  const Vec minus_lr = broadcast(-a.lr), momentum = broadcast(a.momentum), fresh = broadcast(1 - a.dampening),
            decay = broadcast(a.weight_decay);
  const auto gradient = [&](int64_t i, int n, Vec param) { return fma(decay, param, load_some(a.grad + i, n)); };
  if (!a.velocity) {
    return each(context, a.size, [&](int64_t i, int n) {
      const Vec param = load_some(a.param + i, n);
      store_some(a.param + i, fma(minus_lr, gradient(i, n, param), param), n);
    });
  }
  each(context, a.size, [&](int64_t i, int n) {
    const Vec param = load_some(a.param + i, n), g = gradient(i, n, param);
    const Vec v = a.first ? g : fma(momentum, load_some(a.velocity + i, n), fresh * g);
    store_some(a.velocity + i, v, n);
    store_some(a.param + i, fma(minus_lr, a.nesterov ? fma(momentum, v, g) : v, param), n);
  });
}

}  // namespace receptive::RECEPTIVE_ISA
