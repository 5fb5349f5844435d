// Elementwise functions of two tensors, with NumPy's broadcasting.
#pragma once

#include "../runtime/context.h"
#include "../runtime/tensor.h"

namespace receptive {

enum class Binary : int32_t { add, sub, mul, div, max, min, pow, equal, greater, greater_equal, count };

// y[i] = f(a[i·a_strides], b[i·b_strides]) over the index i in dims. y is contiguous and may be a or b. Dimensions are coalesced: none
// is 1 unless it is the only one, and the last stride of an operand is 1, or 0 where it is repeated.
template <class T>
struct BinaryArgs {
  Binary kind;
  int rank;  // at least 1
  int64_t dims[kMaxRank];
  int64_t a_strides[kMaxRank];
  int64_t b_strides[kMaxRank];
  const T* a;
  const T* b;
  T* y;
};

namespace reference {
// int32 wraps around; a division by 0 gives 0, a negative power is truncated.
template <class T>
void binary(const BinaryArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
