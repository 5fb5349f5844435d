// Max unpooling, the adjoint of max pooling by an argmax: its forward pass is max_pool2d_backward, which puts each value where the maximum
// was. This is its gradient.
#pragma once

#include "max_pool2d.h"

namespace receptive {

// dy = g at the cell of the image that argmax names, 0 where it names none. The kernel reads a narrow argmax only.
template <class T>
struct MaxUnpool2dBackwardArgs {
  Windows w;
  const T* g;  // [N, H, W, C]
  Argmax argmax;
  T* dy;  // [N, OH, OW, C]
};

namespace reference {
template <class T>
void max_unpool2d_backward(const MaxUnpool2dBackwardArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
