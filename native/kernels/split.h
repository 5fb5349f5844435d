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

// The first n lanes, 1 <= n <= Vec::width: where n is known to be the width, a whole load or store.
RECEPTIVE_INLINE Vec load_some(const float* p, int n) { return n == Vec::width ? load(p) : load(p, n); }
RECEPTIVE_INLINE Vec load_some(const uint8_t* p, int n) { return n == Vec::width ? load_u8(p) : load_u8(p, n); }
RECEPTIVE_INLINE void store_some(float* p, Vec a, int n) { n == Vec::width ? store(p, a) : store(p, a, n); }

// A load whose missing lanes read as `otherwise`.
static const float kLane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
RECEPTIVE_INLINE Vec load_or(const float* p, int n, Vec otherwise) {
  return n == Vec::width ? load(p) : select(load(kLane) < broadcast(static_cast<float>(n)), load(p, n), otherwise);
}

// Calls body(i, n) for the n elements at i, all of [0, size): n is Vec::width but at the end.
template <class Body>
RECEPTIVE_INLINE void each(Context& context, int64_t size, const Body& body) {
  split(context, size, kElementGrain, Vec::width, [&](int64_t begin, int64_t end, int) {
    int64_t i = begin;
    for (; i + Vec::width <= end; i += Vec::width) body(i, Vec::width);
    if (i < end) body(i, static_cast<int>(end - i));
  });
}

}  // namespace receptive::RECEPTIVE_ISA
