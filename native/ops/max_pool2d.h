// Maximum over windows of an NHWC image.
#pragma once

#include "../runtime/context.h"
#include "window.h"

namespace receptive {

// y = maximum of each window, -infinity for one that lies in the padding, NaN where the window has one. argmax = where in the window
// (a kw + b) the first maximum lies, or the last NaN.
template <class T>
struct MaxPool2dArgs {
  Windows w;
  const T* x;
  T* y;
  uint8_t* argmax;       // null: not wanted, or too many cells for a byte
  int32_t* wide_argmax;  // for windows of more than 256 cells; the kernel writes it up to 2^24 cells
};

// dx = 0, and g added to the cell that argmax names. An argmax that names no cell of the image adds nothing.
template <class T>
struct MaxPool2dBackwardArgs {
  Windows w;
  const T* g;
  const uint8_t* argmax;
  const int32_t* wide_argmax;
  T* dx;
};

namespace reference {
template <class T>
void max_pool2d(const MaxPool2dArgs<T>&, Context&);
template <class T>
void max_pool2d_backward(const MaxPool2dBackwardArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
