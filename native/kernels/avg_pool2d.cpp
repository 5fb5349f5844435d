// Average pooling, a vector of channels at a time.
#include "../ops/avg_pool2d.h"

#include "windows.h"

namespace receptive::RECEPTIVE_ISA {

void avg_pool2d(const AvgPool2dArgs<float>&, Context&);
void avg_pool2d_backward(const AvgPool2dBackwardArgs<float>&, Context&);

// What the sum over window (i, j) is multiplied by.
RECEPTIVE_INLINE Vec share_of(const Windows& w, bool count_padding, int64_t i, int64_t j, const Taps& rows, const Taps& columns) {
  int64_t height = rows.count, width = columns.count;
  if (count_padding) {
    height = smaller(w.kh, (w.H + w.bottom - (i * w.sh - w.top) - 1) / w.dh + 1);
    width = smaller(w.kw, (w.W + w.right - (j * w.sw - w.left) - 1) / w.dw + 1);
  }
  return broadcast(1.0f / static_cast<float>(larger<int64_t>(height * width, 1)));
}

void avg_pool2d(const AvgPool2dArgs<float>& args, Context& context) {
  const Windows& w = args.w;
  each_output_row(w, context, [&](int64_t n, int64_t i, int) {
    const Taps rows = row_taps(w, i);
    for (int64_t j = 0; j < w.OW; ++j) {
      const Taps columns = column_taps(w, j);
      const Vec share = share_of(w, args.count_padding, i, j, rows, columns);
      const float* x = args.x + ((n * w.H + rows.first) * w.W + columns.first) * w.C;
      float* y = args.y + ((n * w.OH + i) * w.OW + j) * w.C;
      for (int64_t c = 0; c < w.C; c += Vec::width) {
        const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, w.C - c));
        Vec sum = zero();
        for (int64_t a = 0; a < rows.count; ++a) {
          for (int64_t b = 0; b < columns.count; ++b) sum = sum + load_some(x + (a * w.dh * w.W + b * w.dw) * w.C + c, lanes);
        }
        store_some(y + c, sum * share, lanes);
      }
    }
  });
}

void avg_pool2d_backward(const AvgPool2dBackwardArgs<float>& args, Context& context) {
  const Windows& w = args.w;
  const int64_t image = w.H * w.W * w.C;
  split(context, w.N, kElementGrain / larger<int64_t>(image, 1), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      memset(args.dx + n * image, 0, static_cast<size_t>(image) * sizeof(float));
      for (int64_t i = 0; i < w.OH; ++i) {
        const Taps rows = row_taps(w, i);
        for (int64_t j = 0; j < w.OW; ++j) {
          const Taps columns = column_taps(w, j);
          const Vec share = share_of(w, args.count_padding, i, j, rows, columns);
          const float* g = args.g + ((n * w.OH + i) * w.OW + j) * w.C;
          float* dx = args.dx + ((n * w.H + rows.first) * w.W + columns.first) * w.C;
          for (int64_t c = 0; c < w.C; c += Vec::width) {
            const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, w.C - c));
            const Vec part = load_some(g + c, lanes) * share;
            for (int64_t a = 0; a < rows.count; ++a) {
              for (int64_t b = 0; b < columns.count; ++b) {
                float* cell = dx + (a * w.dh * w.W + b * w.dw) * w.C + c;
                store_some(cell, load_some(cell, lanes) + part, lanes);
              }
            }
          }
        }
      }
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
