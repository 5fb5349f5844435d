// The geometry pooling shares: where windows lie on an NHWC image.
#pragma once

#include <cstdint>

namespace receptive {

class Call;
struct Tensor;

// Window (i, j) covers rows i sh - top + a dh, 0 <= a < kh, and columns likewise; cells outside the image are padding.
//
// Adaptive windows share the image out instead: window i covers the rows from floor(i H / OH) to, not including, ceil((i + 1) H / OH).
// No window has more than kh rows and kw columns; there is no padding.
struct Windows {
  int64_t N, H, W, C;
  int64_t OH, OW;
  int64_t kh, kw;
  int64_t sh, sw;
  int64_t top, right, bottom, left;
  int64_t dh, dw;
  bool adaptive;
};

// Where a window lies along one axis, for the reference loops: tap a, 0 <= a < taps, at start + a dh (or dw), in the image or outside.
struct Reach {
  int64_t start, taps;
};
Reach row_reach(const Windows& w, int64_t i);
Reach column_reach(const Windows& w, int64_t j);

// Reads attributes kh, kw, sh, sw, top, right, bottom, left, dh and dw, and holds them against the image [N, H, W, C] and
// the output [N, OH, OW, C]. OH may be the floor of its formula or, as ceil mode makes it, one more if that window still begins
// before the end padding.
Windows windows_of(const Call& call, const Tensor& image, const Tensor& output);

// Adaptive windows, one for each cell of the output: they need no attributes.
Windows adaptive_windows_of(const Call& call, const Tensor& image, const Tensor& output);

}  // namespace receptive
