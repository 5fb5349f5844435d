#include "peak.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "../kernels/table.h"
#include "../runtime/kernel_context.h"

namespace receptive {

double measure_peak() {
  using Clock = std::chrono::steady_clock;
  KernelContext context;
  context.begin();
  const int64_t chunks = int64_t{context.threads()} * 16;
  std::vector<float> sink(static_cast<size_t>(chunks), 0.5f);
  const PeakArgs<float> args{chunks, 4'000'000, sink.data()};
  double best = 1e9;
  for (int i = 0; i < 12; ++i) {
    context.begin();
    const Clock::time_point start = Clock::now();
    kernels().peak(args, context);
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return static_cast<double>(args.chunks * args.flops) / best;
}

}  // namespace receptive
