// Max pooling, a vector of channels at a time: the maximum and where it lies, a number that a float holds exactly, are kept in registers
// over the window.
#include "../ops/max_pool2d.h"

#include <math.h>

#include "windows.h"

namespace receptive::RECEPTIVE_ISA {

void max_pool2d(const MaxPool2dArgs<float>&, Context&);
void max_pool2d_backward(const MaxPool2dBackwardArgs<float>&, Context&);

void max_pool2d(const MaxPool2dArgs<float>& args, Context& context) {
  const Windows& w = args.w;
  each_output_row(w, context, [&](int64_t n, int64_t i) {
    const Taps rows = row_taps(w, i);
    for (int64_t j = 0; j < w.OW; ++j) {
      const Taps columns = column_taps(w, j);
      const int64_t out = ((n * w.OH + i) * w.OW + j) * w.C;
      const float* x = args.x + ((n * w.H + rows.first) * w.W + columns.first) * w.C;
      const float first = static_cast<float>(rows.begin * w.kw + columns.begin);
      const bool empty = rows.count == 0 || columns.count == 0;
      for (int64_t c = 0; c < w.C; c += Vec::width) {
        const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, w.C - c));
        Vec best = broadcast(-INFINITY), where = zero();
        if (!empty) {
          best = load_some(x + c, lanes);
          where = broadcast(first);
          for (int64_t a = 0; a < rows.count; ++a) {
            for (int64_t b = 0; b < columns.count; ++b) {
              const Vec v = load_some(x + (a * w.dh * w.W + b * w.dw) * w.C + c, lanes);
              const Vec tap = broadcast(first + static_cast<float>(a * w.kw + b));
              const Mask greater = v > best, number = v == v;
              where = select(number, select(greater, tap, where), tap);
              best = select(number, select(greater, v, best), v);
            }
          }
        }
        store_some(args.y + out + c, best, lanes);
        if (args.argmax.narrow) store_u8(args.argmax.narrow + out + c, where, lanes);
        if (args.argmax.wide) store_i32(args.argmax.wide + out + c, where, lanes);
      }
    }
  });
}

// Each cell of a window takes the gradients whose argmax names it: nothing is addressed by data.
void max_pool2d_backward(const MaxPool2dBackwardArgs<float>& args, Context& context) {
  const Windows& w = args.w;
  const int64_t image = w.H * w.W * w.C;
  split(context, w.N, kElementGrain / larger<int64_t>(image, 1), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      memset(args.dx + n * image, 0, static_cast<size_t>(image) * sizeof(float));
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
                store_some(cell, load_some(cell, lanes) + select(named, g, zero()), lanes);
              }
            }
          }
        }
      }
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
