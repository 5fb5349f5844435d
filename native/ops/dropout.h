// Dropout: its mask is a function of a Philox stream, so nothing need be kept for the gradient.
#pragma once

#include "../runtime/context.h"
#include "philox.h"

namespace receptive {

// y[i] = x[i] scale where word i of the stream is at least threshold, else 0. y may be x. The same on a gradient is its gradient.
template <class T>
struct DropoutArgs {
  int64_t size;
  const T* x;
  T* y;
  T scale;             // 1 / (1 - p); 0 when p is 1
  uint64_t threshold;  // p 2^32
  PhiloxStream stream;
};

namespace reference {
template <class T>
void dropout(const DropoutArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
