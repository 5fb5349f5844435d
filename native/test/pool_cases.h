// The geometries both poolings are tested on.
#pragma once

#include "op_case.h"

namespace receptive::test {

struct PoolCase {
  const char* name;
  int64_t N, H, W;
  std::vector<double> attrs;  // kh, kw, sh, sw, top, right, bottom, left, dh, dw
  int64_t OH, OW;

  Dims x(int64_t C) const { return {N, H, W, C}; }
  Dims y(int64_t C) const { return {N, OH, OW, C}; }
};

inline const std::vector<PoolCase>& pool_cases() {
  static const std::vector<PoolCase> cases = {
      {"LeNet", 3, 28, 28, {2, 2, 2, 2, 0, 0, 0, 0, 1, 1}, 14, 14},
      {"overlapping, padded", 2, 9, 9, {3, 3, 2, 2, 1, 1, 1, 1, 1, 1}, 5, 5},
      {"stride 1", 1, 6, 5, {3, 2, 1, 1, 0, 0, 0, 0, 1, 1}, 4, 4},
      {"stride beyond the window", 2, 11, 10, {2, 2, 3, 4, 0, 0, 0, 0, 1, 1}, 4, 3},
      {"asymmetric padding", 1, 7, 6, {3, 4, 2, 1, 0, 2, 1, 1, 1, 1}, 3, 6},
      {"dilation", 1, 12, 11, {3, 2, 1, 2, 2, 1, 2, 1, 2, 3}, 12, 5},
      {"ceil mode", 1, 6, 8, {3, 3, 2, 3, 0, 0, 0, 0, 1, 1}, 3, 3},
      {"ceil mode, apart", 2, 5, 7, {2, 2, 2, 2, 0, 0, 0, 0, 1, 1}, 3, 4},
      {"ceil mode, padded", 1, 6, 6, {3, 3, 2, 2, 1, 1, 1, 1, 1, 1}, 4, 4},
      {"ceil mode, a window larger than the image", 2, 2, 3, {3, 5, 2, 3, 0, 0, 0, 0, 1, 1}, 1, 1},
      {"the whole image", 2, 7, 5, {7, 5, 1, 1, 0, 0, 0, 0, 1, 1}, 1, 1},
      {"windows in the padding", 1, 2, 2, {2, 2, 2, 2, 4, 4, 4, 4, 1, 1}, 5, 5},
      {"taps astride a small image", 1, 1, 1, {2, 2, 1, 1, 1, 2, 2, 1, 3, 3}, 1, 1},
      {"no images", 0, 4, 4, {2, 2, 2, 2, 0, 0, 0, 0, 1, 1}, 2, 2},
      {"many rows", 1, 300, 40, {2, 2, 2, 2, 0, 0, 0, 0, 1, 1}, 150, 20},
  };
  return cases;
}

// The attributes of max pooling: a window, and what maxima are brought into.
inline std::vector<double> clipped(std::vector<double> window, double low = -HUGE_VAL, double high = HUGE_VAL) {
  window.insert(window.end(), {low, high});
  return window;
}

// Windows that share out the image: an image and an output.
struct AdaptiveCase {
  const char* name;
  int64_t N, H, W, OH, OW;

  Dims x(int64_t C) const { return {N, H, W, C}; }
  Dims y(int64_t C) const { return {N, OH, OW, C}; }
};

inline const std::vector<AdaptiveCase>& adaptive_cases() {
  static const std::vector<AdaptiveCase> cases = {
      {"equal windows", 2, 6, 8, 3, 2},
      {"overlapping by a cell", 2, 5, 7, 3, 3},
      {"of unequal heights", 1, 10, 11, 4, 7},
      {"the whole image", 3, 5, 6, 1, 1},
      {"each cell", 1, 4, 3, 4, 3},
      {"more outputs than cells", 2, 3, 2, 7, 5},
      {"no images", 0, 4, 4, 3, 2},
      {"many rows", 1, 301, 40, 150, 7},
  };
  return cases;
}

const int64_t pool_channels[] = {1, 3, 6, 15, 16, 17, 35, 64};

}  // namespace receptive::test
