// Partial sums of fixed pieces of work, added in order: what makes a sum over pixels independent of the number of threads.
#pragma once

#include "../runtime/context.h"
#include "../simd/vec.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kMostParts = 64;

// out[i] = sum of parts[p * size + i] over p in order.
inline RECEPTIVE_OUTLINE void sum_parts(const float* parts, int64_t count, int64_t size, float* out, Context& context) {
  const int64_t grain = larger<int64_t>(65536 / count, 1024), chunks = (size + grain - 1) / grain;
  context.parallel(chunks, [&](int64_t chunk, int) {
    const int64_t end = smaller((chunk + 1) * grain, size);
    for (int64_t i = chunk * grain; i < end; i += Vec::width) {
      const int lanes_used = static_cast<int>(smaller<int64_t>(end - i, Vec::width));
      Vec sum = load(parts + i, lanes_used);
      for (int64_t p = 1; p < count; ++p) sum = sum + load(parts + p * size + i, lanes_used);
      store(out + i, sum, lanes_used);
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
