// Max pooling, a vector of channels at a time: the maximum and where it lies, a number that a float holds exactly, are kept in registers
// over the window.
#include "../ops/max_pool2d.h"

#include <math.h>

#include "windows.h"

namespace receptive::RECEPTIVE_ISA {

void max_pool2d(const MaxPool2dArgs<float>&, Context&);
void max_pool2d_backward(const MaxPool2dBackwardArgs<float>&, Context&);

// The maximum, and with kWhere its place, of each window of a row of the output.
template <bool kWhere>
RECEPTIVE_INLINE void max_pool_row(const MaxPool2dArgs<float>& args, int64_t n, int64_t i) {
  const Windows& w = args.w;
  const Taps rows = row_taps(w, i);
  const int64_t begin = (n * w.OH + i) * w.OW * w.C, size = w.N * w.H * w.W * w.C;
  for (int64_t j = 0; j < w.OW; ++j) {
    const Taps columns = column_taps(w, j);
    const int64_t at = ((n * w.H + rows.first) * w.W + columns.first) * w.C;
    const int64_t last = at + ((rows.count - 1) * w.dh * w.W + (columns.count - 1) * w.dw) * w.C;
    const float first = static_cast<float>(rows.begin * w.kw + columns.begin);
    const bool empty = rows.count == 0 || columns.count == 0;
    for (int64_t c = 0; c < w.C; c += Vec::width) {
      const int64_t out = begin + j * w.C + c;
      const int lanes = lanes_of(w.C - c, begin + w.OW * w.C - out, empty ? Vec::width : size - last - c);
      Vec best = broadcast(-INFINITY), where = zero();
      if (!empty) {
        const float* x = args.x + at + c;
        best = load_some(x, lanes);
        where = broadcast(first);
        for (int64_t a = 0; a < rows.count; ++a) {
          for (int64_t b = a == 0 ? 1 : 0; b < columns.count; ++b) {
            const Vec v = load_some(x + (a * w.dh * w.W + b * w.dw) * w.C, lanes);
            if constexpr (kWhere) {
              const Vec tap = broadcast(first + static_cast<float>(a * w.kw + b));
              const Mask greater = v > best, number = v == v;
              where = select(number, select(greater, tap, where), tap);
              best = select(number, select(greater, v, best), v);
            } else {
              best = select(best == best, max(best, v), best);  // in this order a NaN of v is the maximum
            }
          }
        }
      }
      store_some(args.y + out, best, lanes);
      if constexpr (kWhere) {
        if (args.argmax.narrow) store_u8(args.argmax.narrow + out, where, lanes);
        if (args.argmax.wide) store_i32(args.argmax.wide + out, where, lanes);
      }
    }
  }
}

void max_pool2d(const MaxPool2dArgs<float>& args, Context& context) {
  const bool where = args.argmax.narrow || args.argmax.wide;
  each_output_row(args.w, context, [&](int64_t n, int64_t i) { where ? max_pool_row<true>(args, n, i) : max_pool_row<false>(args, n, i); });
}

// Each cell of a window takes the gradients whose argmax names it: nothing is addressed by data.
void max_pool2d_backward(const MaxPool2dBackwardArgs<float>& args, Context& context) {
  const Windows& w = args.w;
  const int64_t image = w.H * w.W * w.C;
  // Windows that do not overlap need not add; where they cover the image, nothing is left to be cleared.
  const bool apart = !w.adaptive && w.sh >= w.kh && w.sw >= w.kw && w.dh == 1 && w.dw == 1;
  const bool covered = apart && w.top == 0 && w.left == 0 && w.sh == w.kh && w.sw == w.kw && w.OH * w.kh >= w.H && w.OW * w.kw >= w.W;
  const bool onward = covered && w.C <= Vec::width;  // a vector may go on into the cell beside it, which is written next
  split(context, w.N, kElementGrain / larger<int64_t>(image, 1), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      if (!covered) memset(args.dx + n * image, 0, static_cast<size_t>(image) * sizeof(float));
      for (int64_t i = 0; i < w.OH; ++i) {
        const Taps rows = row_taps(w, i);
        for (int64_t j = 0; j < w.OW; ++j) {
          const Taps columns = column_taps(w, j);
          const int64_t out = ((n * w.OH + i) * w.OW + j) * w.C;
          float* dx = args.dx + ((n * w.H + rows.first) * w.W + columns.first) * w.C;
          const float first = static_cast<float>(rows.begin * w.kw + columns.begin);
          for (int64_t c = 0; c < w.C; c += Vec::width) {
            const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, w.C - c));
            const Vec g = load_some(args.g + out + c, lanes);
            const Vec where = load_some(args.argmax.narrow + out + c, lanes);
            for (int64_t a = 0; a < rows.count; ++a) {
              for (int64_t b = 0; b < columns.count; ++b) {
                float* cell = dx + (a * w.dh * w.W + b * w.dw) * w.C + c;
                const Mask named = where == broadcast(first + static_cast<float>(a * w.kw + b));
                const Vec taken = select(named, g, zero());
                if (apart) {
                  store_some(cell, taken, lanes_of(lanes, onward ? (w.W - columns.first - b) * w.C : 0, Vec::width));
                } else {
                  store_some(cell, load_some(cell, lanes) + taken, lanes);
                }
              }
            }
          }
        }
      }
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
