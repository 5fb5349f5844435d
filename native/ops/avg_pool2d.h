// Average over windows of an NHWC image.
#pragma once

#include "../runtime/context.h"
#include "window.h"

namespace receptive {

// y = Σ cells of the window in the image / how many they are, or, counting padding, how many lie in the image or its padding. A window
// of no cells gives 0.
template <class T>
struct AvgPool2dArgs {
  Windows w;
  bool count_padding;
  const T* x;
  T* y;
};

template <class T>
struct AvgPool2dBackwardArgs {
  Windows w;
  bool count_padding;
  const T* g;
  T* dx;
};

namespace reference {
template <class T>
void avg_pool2d(const AvgPool2dArgs<T>&, Context&);
template <class T>
void avg_pool2d_backward(const AvgPool2dBackwardArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
