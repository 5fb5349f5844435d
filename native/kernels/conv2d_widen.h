// Few output channels: q neighbouring output pixels of a row taken as one pixel of q*K channels, so that vectors are full.
//
// In NHWC they lie beside each other already. The wider pixel sees kw + (q-1)*sw columns of taps; its weights repeat the kernel, shifted
// by sw columns for each pixel, with zeros elsewhere. LeNet's first layer (K = 6) takes q = 2: 12 of 16 lanes and 6 columns for two
// pixels, instead of 6 lanes and 5 columns for each.
#pragma once

#include "../ops/conv2d.h"
#include "gemm.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kMostTogether = 16;

// The q that takes the fewest vector operations, 1 where none takes clearly fewer.
RECEPTIVE_INLINE int64_t pixels_together(const Conv2dShape& s) {
  if (s.groups != 1 || s.K >= Vec::width || (s.dw != 1 && s.kw != 1)) return 1;
  const auto cost = [&](int64_t q) {
    return static_cast<float>(Panels(q * s.K).vectors() * (s.kw + (q - 1) * s.sw)) / static_cast<float>(q);
  };
  int64_t best = 1;
  for (int64_t q = 2; q <= kMostTogether; ++q) {
    if (s.OW % q == 0 && cost(q) < 0.9f * cost(best)) best = q;
  }
  return best;
}

// Vector operations of an image, q pixels together.
RECEPTIVE_INLINE int64_t widened_cost(const Conv2dShape& s, int64_t q) {
  return Panels(q * s.K).vectors() * (s.kw + (q - 1) * s.sw) * s.kh * s.C * (s.OH * s.OW / q);
}

RECEPTIVE_INLINE Conv2dShape widened(const Conv2dShape& s, int64_t q) {
  Conv2dShape wide = s;
  wide.OW = s.OW / q;
  wide.K = s.K * q;
  wide.kw = s.kw + (q - 1) * s.sw;
  wide.sw = s.sw * q;
  wide.dw = 1;
  return wide;
}

// Calls each(row of w, row of wide w, first column in it) for the K weights that pixel p of the q takes at each tap and channel.
template <class Each>
RECEPTIVE_INLINE void each_weight_row(const Conv2dShape& s, const Conv2dShape& wide, int64_t q, const Each& each) {
  for (int64_t a = 0; a < s.kh; ++a) {
    for (int64_t b = 0; b < s.kw; ++b) {
      for (int64_t c = 0; c < s.C; ++c) {
        for (int64_t p = 0; p < q; ++p) each((a * s.kw + b) * s.C + c, (a * wide.kw + b + p * s.sw) * s.C + c, p * s.K);
      }
    }
  }
}

}  // namespace receptive::RECEPTIVE_ISA
