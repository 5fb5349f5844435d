// Rectifier with a learned slope (He et al., 2015).
#pragma once

#include "../runtime/context.h"

namespace receptive {

// y = x where x > 0, else weight x; x is [rows, channels] with a weight for each channel.
template <class T>
struct PreluArgs {
  int64_t rows;
  int64_t channels;
  const T* x;
  const T* weight;
  T* y;
};

// dx = g where x > 0, else weight g; dweight = Σ g x over the rows where x <= 0.
template <class T>
struct PreluBackwardArgs {
  int64_t rows;
  int64_t channels;
  const T* x;
  const T* weight;
  const T* g;
  T* dx;       // null: not wanted
  T* dweight;  // null: not wanted
};

namespace reference {
template <class T>
void prelu(const PreluArgs<T>&, Context&);
template <class T>
void prelu_backward(const PreluBackwardArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
