// Stochastic gradient descent with momentum: PyTorch's update rule.
#pragma once

#include "../runtime/context.h"

namespace receptive {

template <class T>
struct SgdArgs {
  int64_t size;
  T* param;
  const T* grad;
  T* velocity;  // null: no momentum
  T lr;
  T momentum;
  T dampening;
  T weight_decay;
  bool nesterov;
  bool first;  // the velocity is not yet defined, and begins as the gradient
};

namespace reference {
template <class T>
void sgd(const SgdArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
