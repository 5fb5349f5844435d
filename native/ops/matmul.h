// Matrix product: y[m,n] = sum over k of a[m,k] * b[k,n], plus bias[n], clipped; either operand may be stored transposed; batches of them.
#pragma once

#include "../runtime/context.h"
#include "clip.h"

namespace receptive {

template <class T>
struct MatmulArgs {
  int64_t batch, M, N, K;
  bool trans_a;  // a is stored [K,M]
  bool trans_b;  // b is stored [N,K]
  const T* a;
  const T* b;
  const T* bias;  // [N] or null
  T* y;
  Clip clip;
};

namespace reference {
template <class T>
void matmul(const MatmulArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
