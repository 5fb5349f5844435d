// Work for the baseline ops: elements cut into chunks by their number only, and dimensions walked with strides.
#pragma once

#include <algorithm>
#include <cstdint>

#include "../runtime/context.h"
#include "../runtime/tensor.h"

namespace receptive {

// Elements a thread should have before a second one is worth waking.
constexpr int64_t kChunk = 16384;

// Calls body(begin, end) over [0, size) in chunks of `grain`.
template <class Body>
void for_chunks(Context& context, int64_t size, int64_t grain, const Body& body) {
  const int64_t step = std::max<int64_t>(grain, 1);
  context.parallel((size + step - 1) / step, [&](int64_t chunk, int) { body(chunk * step, std::min((chunk + 1) * step, size)); });
}

// Drops dimensions of 1 and joins neighbours that every operand walks as one: strides[k] are those of operand k. Returns the new rank,
// at least 1.
template <int operands>
int coalesce(int rank, int64_t* dims, int64_t (*strides)[kMaxRank]) {
  int last = -1;
  for (int i = 0; i < rank; ++i) {
    if (dims[i] == 1) continue;
    bool joins = last >= 0;
    for (int k = 0; joins && k < operands; ++k) joins = strides[k][last] == strides[k][i] * dims[i];
    if (joins) {
      dims[last] *= dims[i];
    } else {
      dims[++last] = dims[i];
    }
    for (int k = 0; k < operands; ++k) strides[k][last] = strides[k][i];
  }
  if (last < 0) {
    dims[0] = 1;
    for (int k = 0; k < operands; ++k) strides[k][0] = 0;
    return 1;
  }
  return last + 1;
}

}  // namespace receptive
