// Dropout: 16 blocks of the stream, 64 elements, at a time.
#include "../ops/dropout.h"

#include "split.h"

namespace receptive::RECEPTIVE_ISA {

void dropout(const DropoutArgs<float>&, Context&);

void dropout(const DropoutArgs<float>& a, Context& context) {
  constexpr int lanes = 16, group = 4 * lanes;
  split(context, a.size, kElementGrain, group, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; i += group) {
      uint32_t words[4][lanes];
      philox(a.stream, i / 4, words);
      const int n = static_cast<int>(smaller<int64_t>(group, end - i));
      for (int k = 0; k < n; ++k) a.y[i + k] = words[k % 4][k / 4] >= a.threshold ? a.x[i + k] * a.scale : 0.0f;
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
