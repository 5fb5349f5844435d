// Softmax and its logarithm over the last axis.
#pragma once

#include "../runtime/context.h"

namespace receptive {

// y = e^(x - max) / Σ e^(x - max) for each row; log: y = x - max - log Σ e^(x - max).
template <class T>
struct SoftmaxArgs {
  int64_t rows;
  int64_t columns;
  bool log;
  const T* x;
  T* y;
};

// dx = y (g - Σ g y);  log: dx = g - e^y Σ g.
template <class T>
struct SoftmaxBackwardArgs {
  int64_t rows;
  int64_t columns;
  bool log;
  const T* y;
  const T* g;
  T* dx;
};

namespace reference {
template <class T>
void softmax(const SoftmaxArgs<T>&, Context&);
template <class T>
void softmax_backward(const SoftmaxBackwardArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
