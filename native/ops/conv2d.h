// Two-dimensional convolution (cross-correlation, as every framework's layer computes it) and its two gradients.
//
//   y[n,i,j,k] = b[k] + sum over a, b, c of x[n, i*sh - top + a*dh, j*sw - left + b*dw, c] * w[a,b,c,k],   x = 0 outside the image
//
// to which a tensor may be added and what clip.h says be done.
//
// x [N,H,W,C], w [kh,kw,C/groups,K], b [K], y [N,OH,OW,K]. Output channels [g*K/groups, (g+1)*K/groups) see input channels
// [g*C/groups, (g+1)*C/groups).
#pragma once

#include "../runtime/context.h"
#include "clip.h"

namespace receptive {

class Call;
struct Tensor;

// Everything the loops need; padding after the end shows only in OH and OW.
struct Conv2dShape {
  int64_t N, H, W, C, K, kh, kw, OH, OW;
  int64_t sh, sw, top, left, dh, dw, groups;
  enum Algorithm : int32_t { automatic, direct, winograd } algorithm = automatic;
};

constexpr int64_t kMaxStep = 1 << 15;  // of strides, dilations and paddings: keeps every index far from overflow

// Whether minimal filtering (Winograd's algorithm) can compute it: kernels of 3x3 to 5x5 taps, or of 3 to 5 in a row, for each step of the
// stride, which has none beside a dilation.
// Of internal linkage: the linker must not share the copy of a unit compiled for a wider instruction set.
static inline bool can_filter(const Conv2dShape& s) {
  const int64_t rows = (s.kh + s.sh - 1) / s.sh, cols = (s.kw + s.sw - 1) / s.sw;
  const bool square = rows == cols && rows >= 3 && rows <= 5, row = s.kh == 1 && s.sh == 1 && cols >= 3 && cols <= 5;
  const bool strided = s.sh > 1 || s.sw > 1, apart = s.dh > 1 || s.dw > 1;
  return (square || row) && s.groups == 1 && !(strided && apart);
}

// Reads attributes sh, sw, padTop, padRight, padBottom, padLeft, dh, dw and holds them against an input [N,H,W,C], a kernel of kh x kw taps
// and an output [N,OH,OW,K] of one type. Padding on the right and at the bottom may be negative: so many cells that no window reaches, as
// in a transposed convolution with output padding.
Conv2dShape conv2d_shape(const Call& call, const Tensor& x, int64_t kh, int64_t kw, const Tensor& y);

template <class T>
struct Conv2dArgs {
  Conv2dShape shape;
  const T* x;
  const T* w;
  const T* b;    // or null
  const T* add;  // of y's shape, or null
  T* y;
  Clip clip;
};

// Checks a call of x, w, b|0, add|0, y; sh, sw, padTop, padRight, padBottom, padLeft, dh, dw, groups, algorithm, low, high.
template <class T>
Conv2dArgs<T> conv2d_args(const Call& call);

// Also the transposed convolution: of g, to dx, with a bias of dx's channels.
template <class T>
struct Conv2dBackwardInputArgs {
  Conv2dShape shape;
  const T* g;  // dL/dy
  const T* w;
  const T* b;  // [C] or null
  T* dx;
};

template <class T>
struct Conv2dBackwardWeightArgs {
  Conv2dShape shape;
  const T* x;
  const T* g;
  T* dw;
  T* db;  // or null
};

namespace reference {
template <class T>
void conv2d(const Conv2dArgs<T>&, Context&);
template <class T>
void conv2d_backward_input(const Conv2dBackwardInputArgs<T>&, Context&);
template <class T>
void conv2d_backward_weight(const Conv2dBackwardWeightArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
