// A convolution whose kernel is another one at each place of the output, and its two gradients: the layer without parameter sharing.
//
//   y[n,i,j,k] = b[i,j,k] + sum over a, b, c of x[n, i*sh - top + a*dh, j*sw - left + b*dw, c] * w[i,j,a,b,c,k],   x = 0 outside the image
//
// x [N,H,W,C], w [OH,OW,kh,kw,C,K], b [OH,OW,K], y [N,OH,OW,K].
#pragma once

#include "../runtime/context.h"
#include "conv2d.h"

namespace receptive {

template <class T>
struct LocallyConnected2dArgs {
  Conv2dShape shape;  // of one group
  const T* x;
  const T* w;
  const T* b;  // or null
  T* y;
};

template <class T>
struct LocallyConnected2dBackwardInputArgs {
  Conv2dShape shape;
  const T* g;  // dL/dy
  const T* w;
  T* dx;
};

template <class T>
struct LocallyConnected2dBackwardWeightArgs {
  Conv2dShape shape;
  const T* x;
  const T* g;
  T* dw;
};

namespace reference {
template <class T>
void locally_connected2d(const LocallyConnected2dArgs<T>&, Context&);
template <class T>
void locally_connected2d_backward_input(const LocallyConnected2dBackwardInputArgs<T>&, Context&);
template <class T>
void locally_connected2d_backward_weight(const LocallyConnected2dBackwardWeightArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
