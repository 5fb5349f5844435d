// One pass over parameter, gradient and the running tensors there are.
#include "../ops/rmsprop.h"

#include "../simd/vec.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

void rmsprop(const RmspropArgs<float>&, Context&);

void rmsprop(const RmspropArgs<float>& a, Context& context) {
  const Vec alpha = broadcast(a.alpha), fresh = broadcast(a.one_minus_alpha), eps = broadcast(a.eps), momentum = broadcast(a.momentum),
            decay = broadcast(a.weight_decay), minus_lr = broadcast(-a.lr);
  each(context, a.size, [&](int64_t i, int n) {
    const Vec param = load_some(a.param + i, n), g = fma(decay, param, load_some(a.grad + i, n));
    const Vec square = fma(alpha, load_some(a.square + i, n), fresh * g * g);
    store_some(a.square + i, square, n);
    Vec variance = square;
    if (a.mean) {
      const Vec mean = fma(alpha, load_some(a.mean + i, n), fresh * g);
      store_some(a.mean + i, mean, n);
      variance = max(square - mean * mean, zero());
    }
    Vec step = g / (sqrt(variance) + eps);
    if (a.velocity) {
      step = fma(momentum, load_some(a.velocity + i, n), step);
      store_some(a.velocity + i, step, n);
    }
    store_some(a.param + i, fma(minus_lr, step, param), n);
  });
}

}  // namespace receptive::RECEPTIVE_ISA
