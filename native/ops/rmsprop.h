// RMSprop (Tieleman and Hinton, 2012): PyTorch's update rule.
#pragma once

#include "../runtime/context.h"

namespace receptive {

template <class T>
struct RmspropArgs {
  int64_t size;
  T* param;
  const T* grad;
  T* square;    // running mean of the gradient's square
  T* mean;      // running mean of the gradient; null: not centred
  T* velocity;  // null: no momentum
  T lr;
  T alpha;
  T one_minus_alpha;  // taken in double: 1 - 0.99f is off by 1e-6 of itself
  T eps;
  T momentum;
  T weight_decay;
};

namespace reference {
template <class T>
void rmsprop(const RmspropArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
