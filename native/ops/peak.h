// The machine's multiply-add peak, which benchmarks quote kernels against. Not an op: it computes nothing anyone wants.
#pragma once

#include "../runtime/context.h"

namespace receptive {

template <class T>
struct PeakArgs {
  int64_t chunks;
  int64_t flops;  // of each chunk, about
  T* sink;        // one value a chunk, so that the work cannot be left out
};

// FLOP/s of the peak kernel on the pool's threads: the best of a few runs of some milliseconds together. Runs on the calling thread.
double measure_peak();

}  // namespace receptive
