// Independent multiply-adds on registers, nothing else: enough chains to hide the latency of each.
#include "../ops/peak.h"

#include "../simd/vec.h"

namespace receptive::RECEPTIVE_ISA {

void peak(const PeakArgs<float>&, Context&);

constexpr int kChains = 12;

void peak(const PeakArgs<float>& a, Context& context) {
  context.parallel(a.chunks, [&](int64_t chunk, int) {
    Vec chain[kChains];
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) chain[i] = broadcast(1.0f + static_cast<float>(i));
    const Vec scale = broadcast(0.5f), shift = broadcast(a.sink[chunk]);
    const int64_t steps = a.flops / (2 * kChains * Vec::width);
    for (int64_t s = 0; s < steps; ++s) {
#pragma GCC unroll 12
      for (int i = 0; i < kChains; ++i) chain[i] = fma(chain[i], scale, shift);
    }
    Vec sum = zero();
    for (int i = 0; i < kChains; ++i) sum = sum + chain[i];
    a.sink[chunk] = reduce_add(sum);
  });
}

}  // namespace receptive::RECEPTIVE_ISA
