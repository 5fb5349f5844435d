// Sums, means and extremes over some of a tensor's axes.
#pragma once

#include "../runtime/context.h"
#include "../runtime/tensor.h"

namespace receptive {

class Call;

enum class Reduce : int32_t { sum, mean, max, min, count };

// y = reduction of x over the dimensions that are `reduced`. Neighbours of one kind are joined, so kept and reduced dimensions
// alternate. There is at least one dimension; y may have no element, x none only where y has none or the reduction is a sum or a mean.
template <class T>
struct ReduceArgs {
  Reduce kind;
  int rank;
  int64_t dims[kMaxRank];
  bool reduced[kMaxRank];
  int64_t x_size;
  int64_t y_size;
  const T* x;
  T* y;
};

namespace reference {
// An int32 sum is taken in 64 bits, and saturates.
template <class T>
void reduce(const ReduceArgs<T>&, Context&);
}  // namespace reference

// y must have x's shape with the masked axes (bit i: axis i) either left out or 1.
void require_reduced_shape(const Call& call, const Tensor& x, uint32_t mask, const Tensor& y);

}  // namespace receptive
