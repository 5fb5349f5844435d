// Gradients of a convolution with respect to its weights and bias: outer products summed over pixels.
//
//   for each chunk: (pixels: a run of images' bands; panel of output channels)
//     for each image and band of output rows                    its input rows copied with zeros around where there is padding
//       for each row of taps, for each tile of MR of its kw*C inputs
//         acc[MR][NR vectors of output channels] in registers over the band's pixels, whose gradients stay in L1/L2
//
// Each chunk of pixels has its own partial sum; they are added in order, so the result does not depend on the number of threads.
#include "conv2d_depthwise.h"
#include "conv2d_parts.h"
#include "conv2d_source.h"
#include "conv2d_sparse.h"
#include "conv2d_widen.h"
#include "conv2d_winograd.h"

namespace receptive::RECEPTIVE_ISA {

void conv2d_backward_weight(const Conv2dBackwardWeightArgs<float>&, Context&);

constexpr int64_t kWeightGrain = 1 << 19;    // multiply-adds worth a chunk
constexpr int64_t kPartialFloats = 1 << 20;  // of all partial sums together, if more than one is worth it
constexpr int64_t kBandPixels = 512;         // outputs of a band
constexpr int64_t kPixelsAhead = 32;         // of gradients that are far

// db[k] = sum of g[pixel][k], several pixels at a time where they fill vectors together.
static void bias_gradient(const Conv2dBackwardWeightArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  const int64_t pixels = s.N * s.OH * s.OW, together = s.K < Vec::width && pixels % Vec::width == 0 ? Vec::width : 1;
  const int64_t rows = pixels / together, width = s.K * together;
  const int64_t chunks = larger<int64_t>(smaller<int64_t>(rows * width / 65536, kMostParts), 1);
  float* parts = static_cast<float*>(context.scratch(static_cast<size_t>(chunks * width) * sizeof(float)));
  context.parallel(chunks, [&](int64_t chunk, int) {
    const int64_t begin = chunk * rows / chunks, end = (chunk + 1) * rows / chunks;
    for (int64_t k = 0; k < width; k += Vec::width) {
      const int tail = static_cast<int>(smaller<int64_t>(width - k, Vec::width));
      Vec sum[4] = {zero(), zero(), zero(), zero()};
      int64_t p = begin;
      for (; p + 4 <= end; p += 4) {
        for (int u = 0; u < 4; ++u) sum[u] = sum[u] + load(a.g + (p + u) * width + k, tail);
      }
      for (; p < end; ++p) sum[0] = sum[0] + load(a.g + p * width + k, tail);
      store(parts + chunk * width + k, (sum[0] + sum[1]) + (sum[2] + sum[3]), tail);
    }
  });
  sum_parts(parts, chunks * together, s.K, a.db, context);
}

static void backward_weight_widened(const Conv2dBackwardWeightArgs<float>& a, int64_t q, Context& context) {
  const Conv2dShape& s = a.shape;
  const Conv2dShape wide = widened(s, q);
  float* dw = static_cast<float*>(context.scratch(static_cast<size_t>(wide.kh * wide.kw * wide.C * wide.K) * sizeof(float)));
  conv2d_backward_weight({wide, a.x, a.g, dw, nullptr}, context);
  memset(a.dw, 0, static_cast<size_t>(s.kh * s.kw * s.C * s.K) * sizeof(float));
  each_weight_row(s, wide, q, [&](int64_t row, int64_t wide_row, int64_t column) {
    for (int64_t k = 0; k < s.K; ++k) a.dw[row * s.K + k] += dw[wide_row * wide.K + column + k];
  });
}

void conv2d_backward_weight(const Conv2dBackwardWeightArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  const int64_t Cg = s.C / s.groups, Kg = s.K / s.groups, size = s.kh * s.kw * Cg * s.K;
  if (s.N == 0) {
    memset(a.dw, 0, static_cast<size_t>(size) * sizeof(float));
    if (a.db) memset(a.db, 0, static_cast<size_t>(s.K) * sizeof(float));
    return;
  }
  if (const Sparse g = sparse_of(s, a.g, context); g.entries) return sparse_backward_weight(a, g, context);
  if (a.db) bias_gradient(a, context);
  if (is_depthwise(s) || (is_grouped(s) && Cg < Vec::width / 2)) return depthwise_backward_weight(a, context);
  const Filtered filtered = {s.N, {s.H, s.W, s.C}, {s.OH, s.OW, s.K}, s.top, s.left, s.dh, s.dw};
  if (const Filter filter = filter_for(s, filtered, Transformed::whole); filter != Filter::none) {
    return filter_backward_weight(filter, filtered, a.x, a.g, a.dw, context);
  }
  if (const int64_t q = pixels_together(s); q > 1) return backward_weight_widened(a, q, context);

  const Source source = {a.x, s.N, s.C, Cg, {s.OH, s.H, s.sh, s.kh, s.dh, -s.top}, {s.OW, s.W, s.sw, s.kw, s.dw, -s.left}};
  const Panels panels(Kg);
  const int64_t band = smaller(s.OH, kBandPixels / s.OW + 1), bands = (s.OH + band - 1) / band;
  const int64_t items = s.N * bands, work = s.N * s.OH * s.OW * size;
  int64_t pixel_chunks = smaller(smaller(items, kMostParts), work / kWeightGrain + 1);
  pixel_chunks = larger<int64_t>(smaller(pixel_chunks, kPartialFloats / size), 1);
  const int64_t units = work < kWeightGrain / 4 ? 1 : pixel_chunks * s.groups * panels.count();

  Segment* segments = static_cast<Segment*>(context.scratch(static_cast<size_t>(s.kh * s.kw) * sizeof(Segment)));
  const Layout layout = layout_of(source, band);
  const int64_t runs = segments_of(source, layout, segments);
  const int64_t slots = units == 1 ? 1 : context.threads();
  float* copies = static_cast<float*>(context.scratch(static_cast<size_t>(slots * layout.copy_size) * sizeof(float)));
  float* parts = pixel_chunks == 1 ? a.dw : static_cast<float*>(context.scratch(static_cast<size_t>(pixel_chunks * size) * sizeof(float)));

  const bool far = is_read_far(s.N * s.OH * s.OW * s.K);
  // One panel of one group over one chunk of pixels.
  const auto accumulate = [&](int64_t pixels, int64_t group, int64_t index, float* copy) {
    const int nr = panels.width(index), tail = panels.tail(index);
    const int64_t column = group * Kg + panels.first(index) * Vec::width;
    const int64_t begin = pixels * items / pixel_chunks, end = (pixels + 1) * items / pixel_chunks;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t image = item / bands, row = item % bands * band, height = smaller(band, s.OH - row);
      const float* base = open_band(source, layout, image, group * Cg, row, band, copy);
      const float* g = a.g + (image * s.OH + row) * s.OW * s.K + column;
      float* out = parts + pixels * size + column;
      for (int64_t i = 0; i < runs; ++i) {
        const Tiles tiles(segments[i].length, rows_for(nr));
        for (int64_t t = 0; t < tiles.count; ++t) {
          const int64_t first = tiles.begin(t);
          const OuterStep step = {base + segments[i].offset + first,
                                  layout.row_step,
                                  layout.col_step,
                                  g,
                                  s.OW * s.K,
                                  s.K,
                                  height,
                                  s.OW,
                                  out + first * s.K,
                                  s.K,
                                  nullptr,
                                  item > begin,
                                  tail,
                                  far && i == 0 && t == 0 ? kPixelsAhead * s.K : 0};
          outer_kernel(static_cast<int>(tiles.begin(t + 1) - first), nr)(step);
        }
        out += segments[i].length * s.K;
      }
    }
  };
  const int64_t per_pixels = s.groups * panels.count(), pieces = pixel_chunks * per_pixels;
  context.parallel(units, [&](int64_t unit, int slot) {
    for (int64_t piece = unit * pieces / units; piece < (unit + 1) * pieces / units; ++piece) {
      accumulate(piece / per_pixels, piece / panels.count() % s.groups, piece % panels.count(), copies + slot * layout.copy_size);
    }
  });
  if (pixel_chunks > 1) sum_parts(parts, pixel_chunks, size, a.dw, context);
}

}  // namespace receptive::RECEPTIVE_ISA
