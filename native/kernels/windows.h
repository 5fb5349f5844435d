// Walking pooling windows.
#pragma once

#include "../ops/window.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

// The taps of a window that lie in the image, along one axis: tap begin + t, 0 <= t < count, is at first + t dilation. All 0 for none.
struct Taps {
  int64_t begin, count, first;
};

RECEPTIVE_INLINE Taps taps_of(int64_t output, int64_t stride, int64_t before, int64_t dilation, int64_t kernel, int64_t size) {
  const int64_t start = output * stride - before, last = start + (kernel - 1) * dilation;
  const int64_t begin = start >= 0 ? 0 : (dilation - 1 - start) / dilation;
  const int64_t end = last < size ? kernel : kernel - (last - size + dilation) / dilation;
  return begin < end ? Taps{begin, end - begin, start + begin * dilation} : Taps{0, 0, 0};
}

// The same of the windows that share the image out: see Windows.
RECEPTIVE_INLINE Taps adaptive_taps_of(int64_t output, int64_t outputs, int64_t size) {
  const int64_t first = output * size / outputs;
  return {0, ((output + 1) * size + outputs - 1) / outputs - first, first};
}

RECEPTIVE_INLINE Taps row_taps(const Windows& w, int64_t i) {
  return w.adaptive ? adaptive_taps_of(i, w.OH, w.H) : taps_of(i, w.sh, w.top, w.dh, w.kh, w.H);
}
RECEPTIVE_INLINE Taps column_taps(const Windows& w, int64_t j) {
  return w.adaptive ? adaptive_taps_of(j, w.OW, w.W) : taps_of(j, w.sw, w.left, w.dw, w.kw, w.W);
}

// How many lanes to write where so many channels are left: a whole vector where the row goes on for as long, if what it spoils is written
// later and by the same thread. Masks cost more than the lanes they spare.
RECEPTIVE_INLINE int lanes_of(int64_t channels, int64_t row) {
  return static_cast<int>(row >= Vec::width ? Vec::width : smaller<int64_t>(Vec::width, channels));
}

// body(n, i, slot) for each row of the output, in chunks of rows that read about a grain; factors stop at it, so that none overflows.
template <class Body>
RECEPTIVE_INLINE void each_output_row(const Windows& w, Context& context, const Body& body) {
  const int64_t taps = smaller(smaller(w.kh, w.H) * smaller(w.kw, w.W), kElementGrain);
  const int64_t read = larger<int64_t>(smaller(w.OW * w.C, kElementGrain) * taps, 1);
  split(context, w.N * w.OH, kElementGrain / read, 1, [&](int64_t begin, int64_t end, int slot) {
    for (int64_t row = begin; row < end; ++row) body(row / w.OH, row % w.OH, slot);
  });
}

}  // namespace receptive::RECEPTIVE_ISA
