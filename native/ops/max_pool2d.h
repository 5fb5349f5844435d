// Maximum over windows of an NHWC image.
#pragma once

#include "../runtime/context.h"
#include "clip.h"
#include "window.h"

namespace receptive {

// Where in each window a maximum lies, as a kw + b: in a byte, or for windows of more than 256 cells in 32 bits. The other pointer is
// null, both are where it is not wanted.
struct Argmax {
  uint8_t* narrow;
  int32_t* wide;
};

// The argmax kept in this tensor, which must fit the windows and have the output's shape.
Argmax argmax_of(const Call& call, const Windows& w, const Tensor& argmax, const Tensor& output);

// y = maximum of each window, -infinity for one that lies in the padding, NaN where the window has one, then clipped. argmax = where the
// first maximum lies, or the last NaN. The kernel writes it for windows of up to 2^24 cells.
template <class T>
struct MaxPool2dArgs {
  Windows w;
  const T* x;
  T* y;
  Argmax argmax;
  Clip clip;
};

// dx = 0, and g added to the cell that argmax names. An argmax that names no cell of the image adds nothing. The kernel reads a narrow
// argmax only: it visits every cell of a window, of which a wide one has too many.
template <class T>
struct MaxPool2dBackwardArgs {
  Windows w;
  const T* g;
  Argmax argmax;
  T* dx;
};

namespace reference {
template <class T>
void max_pool2d(const MaxPool2dArgs<T>&, Context&);
template <class T>
void max_pool2d_backward(const MaxPool2dBackwardArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
