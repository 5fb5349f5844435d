// Resampling an NHWC image to another height and width, and its gradient. Both are linear maps that act on rows and on columns apart, so
// one kernel computes both: it is given each axis as a sparse matrix, or that matrix transposed.
#pragma once

#include "../runtime/context.h"

namespace receptive {

// One axis: output i is the sum of weight[k] times cell[k], begin[i] <= k < begin[i + 1]. Weights are not 0.
template <class T>
struct ResampledAxis {
  const int64_t* begin;
  const int64_t* cell;
  const T* weight;
};

// y [N, OH, OW, C] = x [N, H, W, C] resampled along both axes.
template <class T>
struct ResampleArgs {
  int64_t N, H, W, C, OH, OW;
  ResampledAxis<T> rows, columns;
  const T* x;
  T* y;
};

namespace reference {
template <class T>
void resample(const ResampleArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
