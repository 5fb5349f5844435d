// The geometry pooling shares: where windows lie on an NHWC image.
#pragma once

#include <cstdint>

namespace receptive {

class Call;
struct Tensor;

// Window (i, j) covers rows i sh - top + a dh, 0 <= a < kh, and columns likewise; cells outside the image are padding.
struct Windows {
  int64_t N, H, W, C;
  int64_t OH, OW;
  int64_t kh, kw;
  int64_t sh, sw;
  int64_t top, right, bottom, left;
  int64_t dh, dw;
};

// Reads attributes kh, kw, sh, sw, top, right, bottom, left and, where `dilated`, dh, dw, and holds them against the image [N, H, W, C] and
// the output [N, OH, OW, C]. OH may be the floor of its formula or, as ceil mode makes it, one more if that window still begins
// before the end padding.
Windows windows_of(const Call& call, const Tensor& image, const Tensor& output, bool dilated);

}  // namespace receptive
