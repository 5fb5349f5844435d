// The input gradient when input channels are few: vectors lie along a row of taps instead of along the channels.
//
//   for each chunk: (image, band of input rows), or a few small images
//     rows of dx, padded where they must be, zero or the bias   L1/L2
//     for each of them, for each panel of the kw*C columns of a row of taps
//       for each tile of MR pixels of a row of g                which write to places that do not overlap
//         acc[MR][NR] in registers over the rows of taps that the row takes, then added to the kw*C floats of dx that the pixels saw
//     copy padded rows to dx without their padding
#pragma once

#include "../ops/conv2d.h"
#include "gemm.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kScatterGrain = 1 << 18;   // multiply-adds worth a chunk
constexpr int64_t kScatterFloats = 1 << 15;  // of a band's rows, if one row allows
constexpr int64_t kScatterImages = 4;        // at most, whose rows are summed together

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

// Rows [begin, end) of the dx of images in turn, each image's g at g + image*OH*OW*K and its padded rows, `width` pixels each, at
// rows + image*apart.
struct Scatter {
  const float *g, *weights, *bias;
  float* rows;
  int64_t apart, width, begin, end;
  Segment* segments;
};

RECEPTIVE_INLINE void scatter_rows(const Conv2dShape& s, const Scatter& d, int64_t images) {
  const Panels panels(s.kw * s.C);
  const int64_t step_over = (s.kw + s.sw - 1) / s.sw;  // columns of g whose taps do not overlap
  for (int64_t n = 0; n < images; ++n) fill_pixels(d.rows + n * d.apart, d.bias, s.C, (d.end - d.begin) * d.width);
  for (int64_t kh = 0; kh < s.kh; ++kh) d.segments[kh] = {-kh * s.dh * s.OW * s.K, s.K};
  for (int64_t h = d.begin, height; h < d.end; h += height) {
    // Row h receives from row i of g at tap kh where i*sh + kh*dh = h + top. Taps one behind the other are summed in registers, of rows
    // that take the same ones at once.
    height = 1;
    for (int64_t kh = 0, last; kh < s.kh; kh = last) {
      const int64_t from = h + s.top - kh * s.dh;
      last = kh + 1;
      if (from < 0 || from % s.sh != 0 || from / s.sh >= s.OH) continue;
      if (s.sh == 1) {
        while (last < s.kh && from >= (last - kh) * s.dh) ++last;
        if (kh == 0 && last == s.kh) height = smaller(d.end - h, s.OH - from);
      }
      for (int64_t p = 0; p < panels.count(); ++p) {
        const int nr = panels.width(p);
        const float* const panel = d.weights + panels.offset(p, s.kh * s.K) + kh * s.K * nr * Vec::width;
        const RowsStep step = {d.segments, last - kh, panel, nr * Vec::width, nullptr, true, panels.tail(p)};
        for (int64_t residue = 0; residue < smaller(step_over, s.OW); ++residue) {
          const Tiles tiles((s.OW - residue + step_over - 1) / step_over * height * images, rows_for(nr));
          int64_t image = 0, i = 0, j = residue;
          for (int64_t t = 0; t < tiles.count; ++t) {
            const int mr = static_cast<int>(tiles.begin(t + 1) - tiles.begin(t));
            RowsTile tile;
            for (int m = 0; m < mr; ++m) {
              tile.a[m] = d.g + ((image * s.OH + from / s.sh + i) * s.OW + j) * s.K;
              tile.y[m] = d.rows + image * d.apart + ((h - d.begin + i) * d.width + j * s.sw) * s.C + panels.first(p) * Vec::width;
              if ((j += step_over) < s.OW) continue;
              j = residue;
              if (++i == height) i = 0, ++image;
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
  const int64_t width = larger((s.OW - 1) * s.sw + s.kw, s.left + s.W), row = width * s.C;
  const int64_t work = s.OH * s.OW * s.K * s.kh * s.kw * s.C;
  int64_t bands = s.N * work < kScatterGrain ? 1 : smaller(s.H, work / kScatterGrain + 1);
  bands = larger(bands, smaller(s.H, s.H * row / kScatterFloats + 1));
  const int64_t band = (s.H + bands - 1) / bands;
  bands = (s.H + band - 1) / band;
  // Tiles fill up with pixels of several images: rows near the border have few that take the same taps.
  const int64_t together = bands > 1 ? 1 : larger<int64_t>(1, smaller(kScatterImages, kScatterFloats / (s.H * row)));
  const bool straight = s.left == 0 && width == s.W;  // dx needs no padding

  const int64_t items = (s.N + together - 1) / together * bands;
  const int64_t chunks = s.N * work < kScatterGrain ? 1 : smaller(items, s.N * work / (kScatterGrain / 4));
  const int64_t slots = chunks == 1 ? 1 : context.threads(), size = straight ? 0 : together * band * row;
  Segment* const segments = static_cast<Segment*>(context.scratch(static_cast<size_t>(slots * s.kh) * sizeof(Segment)));
  float* const copies = static_cast<float*>(context.scratch(static_cast<size_t>(slots * size) * sizeof(float)));
  context.parallel(chunks, [&](int64_t chunk, int slot) {
    for (int64_t item = chunk * items / chunks; item < (chunk + 1) * items / chunks; ++item) {
      const int64_t first = item / bands * together, images = smaller(together, s.N - first);
      const int64_t begin = item % bands * band, end = smaller(begin + band, s.H);
      float *const dx = a.dx + (first * s.H + begin) * s.W * s.C, *const rows = straight ? dx : copies + slot * size;
      const int64_t apart = straight ? s.H * row : band * row;
      scatter_rows(s, {a.g + first * s.OH * s.OW * s.K, weights, a.b, rows, apart, width, begin, end, segments + slot * s.kh}, images);
      if (straight) continue;
      for (int64_t n = 0; n < images; ++n) {
        for (int64_t h = 0; h < end - begin; ++h) {
          memcpy(dx + (n * s.H + h) * s.W * s.C, rows + n * apart + h * row + s.left * s.C, static_cast<size_t>(s.W * s.C) * sizeof(float));
        }
      }
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
