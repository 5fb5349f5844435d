// Tensors larger than a cache that cores share. Written past it, nothing is read to be overwritten, and nothing that is in use leaves it;
// read by many rows at once, they are asked for ahead of time.
#pragma once

#include "../simd/vec.h"

namespace receptive::RECEPTIVE_ISA {

RECEPTIVE_NOTHROW_BEGIN

constexpr int64_t kFarFloats = int64_t{1} << 22;

RECEPTIVE_INLINE bool is_far(int64_t floats) { return floats >= kFarFloats; }
RECEPTIVE_INLINE bool is_read_far(int64_t floats) { return floats >= kFarFloats / 2; }

// The same where it is written in rows of so many floats, all of them whole vectors.
RECEPTIVE_INLINE bool writes_far(const float* to, int64_t floats, int64_t row) {
  return is_far(floats) && floats % Vec::width == 0 && row % Vec::width == 0 && reinterpret_cast<uintptr_t>(to) % sizeof(Vec) == 0;
}

// Asks for n floats from p on.
RECEPTIVE_INLINE void ask_for(const float* p, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) prefetch(p + i);
}

RECEPTIVE_NOTHROW_END

}  // namespace receptive::RECEPTIVE_ISA
