// The gradient of max unpooling, a vector of channels at a time: of each cell of a window the lanes are taken whose argmax names it, so
// that nothing is addressed by data.
#include "../ops/max_unpool2d.h"

#include "windows.h"

namespace receptive::RECEPTIVE_ISA {

void max_unpool2d_backward(const MaxUnpool2dBackwardArgs<float>&, Context&);

void max_unpool2d_backward(const MaxUnpool2dBackwardArgs<float>& args, Context& context) {
  const Windows& w = args.w;
  each_output_row(w, context, [&](int64_t n, int64_t i, int) {
    const Taps rows = row_taps(w, i);
    for (int64_t j = 0; j < w.OW; ++j) {
      const Taps columns = column_taps(w, j);
      const int64_t out = ((n * w.OH + i) * w.OW + j) * w.C;
      const float* g = args.g + ((n * w.H + rows.first) * w.W + columns.first) * w.C;
      const float first = static_cast<float>(rows.begin * w.kw + columns.begin);
      for (int64_t c = 0; c < w.C; c += Vec::width) {
        const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, w.C - c));
        const Vec where = load_some(args.argmax.narrow + out + c, lanes);
        Vec dy = zero();
        for (int64_t a = 0; a < rows.count; ++a) {
          for (int64_t b = 0; b < columns.count; ++b) {
            const Mask named = where == broadcast(first + static_cast<float>(a * w.kw + b));
            dy = select(named, load_some(g + (a * w.dh * w.W + b * w.dw) * w.C + c, lanes), dy);
          }
        }
        store_some(args.dy + out + c, dy, lanes);
      }
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
