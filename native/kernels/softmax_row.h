// What softmax and cross-entropy do to a row.
#pragma once

#include <math.h>

#include "../simd/math.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

// A pass over rows that takes an exponential of each element: about this many make a chunk.
constexpr int64_t kExponentialGrain = 4096;

// The largest of n > 0 elements.
RECEPTIVE_INLINE float row_max(const float* x, int64_t n) {
  const Vec lowest = broadcast(-INFINITY);
  Vec top = lowest;
  for (int64_t i = 0; i < n; i += Vec::width) top = max(load_or(x + i, static_cast<int>(smaller<int64_t>(Vec::width, n - i)), lowest), top);
  return reduce_max(top);
}

// Σ e^(x - shift). The exponentials are also stored, unless y is null.
RECEPTIVE_INLINE float row_exp(const float* x, int64_t n, float shift, float* y) {
  const Vec s = broadcast(shift);
  Vec sum = zero();
  for (int64_t i = 0; i < n; i += Vec::width) {
    const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, n - i));
    const Vec e = exp(load_or(x + i, lanes, broadcast(-INFINITY)) - s);
    if (y) store_some(y + i, e, lanes);
    sum = sum + e;
  }
  return reduce_add(sum);
}

}  // namespace receptive::RECEPTIVE_ISA
