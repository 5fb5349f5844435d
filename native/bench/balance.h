// What a kernel gains from more threads than this machine has, as far as that is a matter of how its work is cut.
#pragma once

#include <functional>
#include <vector>

#include "../runtime/context.h"

namespace receptive::bench {

struct Balance {
  int64_t chunks;  // of the call of Context::parallel that had the most
  double serial;   // of all time on one thread, what was spent outside of chunks
  std::vector<double> speedup;
};

// Times each chunk of run() by itself, then deals the chunks out to so many threads as the pool does. Waking threads takes no time there,
// and memory and caches are as fast for many as for one: what is left is whether there are enough chunks, and of even length.
Balance balance_of(const std::function<void(Context&)>& run, const std::vector<int>& threads);

}  // namespace receptive::bench
