// The input gradient when input channels are few: vectors lie along a row of taps instead of along the channels.
//
//   for each chunk: (image, band of input rows)
//     padded rows of dx, zero or the bias                       L1/L2
//     for each of them, for each panel of the kw*C columns of a row of taps
//       for each tile of MR pixels of a row of g                which write to places that do not overlap
//         acc[MR][NR] in registers over the rows of taps that the row takes, then added to the kw*C floats of dx that the pixels saw
//     copy the rows to dx without their padding
#pragma once

#include "../ops/conv2d.h"
#include "gemm.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kScatterGrain = 1 << 18;   // multiply-adds worth a chunk
constexpr int64_t kScatterFloats = 1 << 15;  // of a band's rows, if one row allows

// Vector operations of an image: lanes in use or not, additions to memory.
RECEPTIVE_INLINE int64_t scatter_cost(const Conv2dShape& s) { return Panels(s.kw * s.C).vectors() * (s.K + 6) * s.OH * s.OW * s.kh; }

// The same of the gather of conv2d_gather.h.
RECEPTIVE_INLINE int64_t gather_cost(const Conv2dShape& s) { return Panels(s.C).vectors() * s.kh * s.kw * s.K * s.H * s.W / (s.sh * s.sw); }

RECEPTIVE_INLINE bool scatter_pays(const Conv2dShape& s) {
  return s.groups == 1 && (s.dw == 1 || s.kw == 1) && scatter_cost(s) < gather_cost(s);
}

// n pixels of `channels` values each: 0, or those of a pixel.
RECEPTIVE_INLINE void fill_pixels(float* to, const float* pixel, int64_t channels, int64_t n) {
  if (pixel == nullptr) {
    memset(to, 0, static_cast<size_t>(n * channels) * sizeof(float));
    return;
  }
  for (int64_t i = 0; i < n; ++i) memcpy(to + i * channels, pixel, static_cast<size_t>(channels) * sizeof(float));
}

// The padded rows [begin, end) of one image's dx, `width` pixels each.
RECEPTIVE_INLINE void scatter_rows(const Conv2dShape& s, const float* g, const float* weights, const float* bias, Segment* segments,
                                   int64_t begin, int64_t end, int64_t width, float* rows) {
  const Panels panels(s.kw * s.C);
  const int64_t apart = (s.kw + s.sw - 1) / s.sw;  // columns of g whose taps do not overlap
  fill_pixels(rows, bias, s.C, (end - begin) * width);
  for (int64_t kh = 0; kh < s.kh; ++kh) segments[kh] = {-kh * s.dh * s.OW * s.K, s.K};
  for (int64_t h = begin, height; h < end; h += height) {
    // Row h receives from row i of g at tap kh where i*sh + kh*dh = h + top. Taps one behind the other are summed in registers, of rows
    // that take the same ones at once.
    height = 1;
    for (int64_t kh = 0, last; kh < s.kh; kh = last) {
      const int64_t from = h + s.top - kh * s.dh;
      last = kh + 1;
      if (from < 0 || from % s.sh != 0 || from / s.sh >= s.OH) continue;
      if (s.sh == 1) {
        while (last < s.kh && from >= (last - kh) * s.dh) ++last;
        if (kh == 0 && last == s.kh) height = smaller(end - h, s.OH - from);
      }
      for (int64_t p = 0; p < panels.count(); ++p) {
        const int nr = panels.width(p);
        const float* const panel = weights + panels.offset(p, s.kh * s.K) + kh * s.K * nr * Vec::width;
        const RowsStep step = {segments, last - kh, panel, nr * Vec::width, nullptr, true, panels.tail(p)};
        for (int64_t residue = 0; residue < smaller(apart, s.OW); ++residue) {
          const Tiles tiles((s.OW - residue + apart - 1) / apart * height, rows_for(nr));
          int64_t i = 0, j = residue;
          for (int64_t t = 0; t < tiles.count; ++t) {
            const int mr = static_cast<int>(tiles.begin(t + 1) - tiles.begin(t));
            RowsTile tile;
            for (int m = 0; m < mr; ++m) {
              tile.a[m] = g + ((from / s.sh + i) * s.OW + j) * s.K;
              tile.y[m] = rows + ((h - begin + i) * width + j * s.sw) * s.C + panels.first(p) * Vec::width;
              if ((j += apart) >= s.OW) j = residue, ++i;
            }
            rows_kernel(mr, nr)(tile, step);
          }
        }
      }
    }
  }
}

RECEPTIVE_INLINE void scatter(const Conv2dBackwardInputArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  const Panels panels(s.kw * s.C);
  float* weights = static_cast<float*>(context.scratch(static_cast<size_t>(panels.size(s.kh * s.K)) * sizeof(float)));
  for (int64_t p = 0; p < panels.count(); ++p) {
    float* const panel = weights + panels.offset(p, s.kh * s.K);
    for (int64_t kh = 0; kh < s.kh; ++kh) {
      pack_panel_transposed(a.w + (kh * s.kw * s.C + panels.first(p) * Vec::width) * s.K, s.K, s.K, panels.width(p), panels.tail(p),
                            panel + kh * s.K * panels.width(p) * Vec::width);
    }
  }
  const int64_t width = larger((s.OW - 1) * s.sw + s.kw, s.left + s.W);
  const int64_t work = s.OH * s.OW * s.K * s.kh * s.kw * s.C;
  int64_t bands = s.N * work < kScatterGrain ? 1 : smaller(s.H, work / kScatterGrain + 1);
  bands = larger(bands, smaller(s.H, s.H * width * s.C / kScatterFloats + 1));
  const int64_t band = (s.H + bands - 1) / bands;
  bands = (s.H + band - 1) / band;

  const int64_t items = s.N * bands, chunks = s.N * work < kScatterGrain ? 1 : smaller(items, s.N * work / (kScatterGrain / 4));
  const int64_t slots = chunks == 1 ? 1 : context.threads(), size = band * width * s.C;
  Segment* const segments = static_cast<Segment*>(context.scratch(static_cast<size_t>(slots * s.kh) * sizeof(Segment)));
  float* copies = static_cast<float*>(context.scratch(static_cast<size_t>(slots * size) * sizeof(float)));
  context.parallel(chunks, [&](int64_t chunk, int slot) {
    float* rows = copies + slot * size;
    for (int64_t item = chunk * items / chunks; item < (chunk + 1) * items / chunks; ++item) {
      const int64_t image = item / bands, begin = item % bands * band, end = smaller(begin + band, s.H);
      scatter_rows(s, a.g + image * s.OH * s.OW * s.K, weights, a.b, segments + slot * s.kh, begin, end, width, rows);
      for (int64_t h = begin; h < end; ++h) {
        memcpy(a.dx + (image * s.H + h) * s.W * s.C, rows + ((h - begin) * width + s.left) * s.C,
               static_cast<size_t>(s.W * s.C) * sizeof(float));
      }
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
