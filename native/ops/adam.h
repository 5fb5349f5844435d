// Adam (Kingma and Ba, 2015) and AdamW (Loshchilov and Hutter, 2019): PyTorch's update rules.
#pragma once

#include "../runtime/context.h"

namespace receptive {

template <class T>
struct AdamArgs {
  int64_t size;
  T* param;
  const T* grad;
  T* m;
  T* v;
  T beta1;
  T beta2;
  T one_minus_beta1;  // taken in double: 1 - 0.999f is off by 5e-5 of itself
  T one_minus_beta2;
  T eps;
  T grad_decay;   // added to the gradient: grad + grad_decay param
  T param_scale;  // decoupled decay: the parameter times this, before the step
  T step_size;    // lr / (1 - beta1^step)
  T v_scale;      // 1 / sqrt(1 - beta2^step)
};

namespace reference {
template <class T>
void adam(const AdamArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
