// How a one-dimensional job is cut into chunks: by its size only, so that results are the same bits for any number of threads.
#pragma once

#include "../runtime/context.h"
#include "../simd/vec.h"

namespace receptive::RECEPTIVE_ISA {

// Calls body(begin, end, slot) over [0, size) in chunks of about grain, each but the last a multiple of the unit.
template <class Body>
RECEPTIVE_INLINE void split(Context& context, int64_t size, int64_t grain, int64_t unit, const Body& body) {
  const int64_t step = larger<int64_t>((grain + unit - 1) / unit * unit, unit);
  context.parallel((size + step - 1) / step, [&](int64_t chunk, int slot) { body(chunk * step, smaller((chunk + 1) * step, size), slot); });
}

// Elements a thread should have before a second one is worth waking: below it an elementwise pass takes a few microseconds.
constexpr int64_t kElementGrain = 16384;

}  // namespace receptive::RECEPTIVE_ISA
