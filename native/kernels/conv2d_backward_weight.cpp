// Gradients of a convolution with respect to its weights and bias: outer products summed over pixels.
//
//   for each chunk: (pixels: a run of images' bands; panel of output channels; tiles of MR of a row of taps' kw*C inputs)
//     for each image and band of output rows                    its input rows copied with zeros around where there is padding
//       for each of the tiles                                     and where channels are many, over the pixels whose tap is inside instead
//         acc[MR][NR vectors of output channels] in registers over the band's pixels, whose gradients stay in L1/L2, packed where many
//         tiles read them
//
// Each chunk of pixels has its own partial sum; they are added in order, so the result does not depend on the number of threads.
#include "conv2d_cells.h"
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
constexpr int64_t kBandPixels = 512;         // outputs of a band, about
constexpr int64_t kEnoughUnits = 16;         // where so many chunks come of pixels and panels, tiles stay together
constexpr int64_t kPackedPixels = 256;       // of one whose gradients are packed
constexpr int64_t kPackedColumns = 32;       // of a panel at most, then: with more, a band is beyond L1
constexpr int64_t kBiasGrain = 1 << 15;      // gradients worth a chunk of their sum
constexpr int64_t kPixelsAhead = 32;         // of gradients that are far

// db[k] = sum of g[pixel][k], several pixels at a time where they fill vectors together.
static void bias_gradient(const Conv2dBackwardWeightArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  const int64_t pixels = s.N * s.OH * s.OW, together = s.K < Vec::width && pixels % Vec::width == 0 ? Vec::width : 1;
  const int64_t rows = pixels / together, width = s.K * together;
  const int64_t chunks = larger<int64_t>(smaller<int64_t>(rows * width / kBiasGrain, kMostParts), 1);
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

static void backward_weight_of_cells(Filter filter, const Conv2dShape& cells, const Conv2dBackwardWeightArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  const int64_t tap = s.C * s.K, size = cells.kh * cells.kw * cells.C * s.K;
  float* const dw = static_cast<float*>(context.scratch(static_cast<size_t>(size) * sizeof(float)));
  filter_backward_weight(filter, filtered(cells), cells_of_image(s, cells, a.x, context), a.g, dw, context);
  split(context, s.kh * s.kw, kPackGrain / tap, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) copy_floats(dw + row_of_cells(s, cells, t) * s.K, tap, a.dw + t * tap);
  });
}

// Whether a band's gradients of a panel of channels are put beside each other first, which many inputs pay for: all their tiles find what
// they read in L1 then. Rows of channels that are multiples of 1 KiB apart fall into a few of its sets: there, fewer inputs pay.
static bool packs_gradients(const Conv2dShape& s) {
  constexpr int64_t width = kMaxNR * Vec::width;
  const int64_t inputs = s.kh * s.kw * (s.C / s.groups);
  if (width > kPackedColumns || s.K <= width || s.OW > 2 * kPackedPixels) return false;
  return inputs >= 192 || (s.groups == 1 && inputs >= 64 && s.K % 256 == 0);
}

// Outputs [first, last) of those from begin to end whose tap lies inside.
static Inside outputs_inside(const Axis& axis, int64_t tap, int64_t begin, int64_t end) {
  const int64_t at = tap * axis.dilation + axis.origin;  // what output 0 sees
  const int64_t first = larger(begin, at >= 0 ? 0 : (-at + axis.stride - 1) / axis.stride);
  const int64_t last = at >= axis.in ? first : smaller(end, (axis.in - 1 - at) / axis.stride + 1);
  return {first, larger(first, last)};
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
  const int64_t q = pixels_together(s);
  if (can_filter(s)) {
    const Conv2dShape f = is_strided(s) ? of_cells(s) : s;
    const int64_t direct = s.N * widened_cost(s, q);
    if (const Filter filter = filter_for(f, filtered(f), Transformed::sums, direct); filter != Filter::none && cells_fit(s, f)) {
      if (!is_strided(s)) return filter_backward_weight(filter, filtered(f), a.x, a.g, a.dw, context);
      return backward_weight_of_cells(filter, f, a, context);
    }
  }
  if (q > 1) return backward_weight_widened(a, q, context);

  const Source source = input_of(s, a.x);
  const Panels panels(Kg);
  const bool packs = packs_gradients(s);
  const int64_t most = (packs ? kPackedPixels : kBandPixels) / s.OW + 1, fewest = (s.OH + most - 1) / most,
                band = (s.OH + fewest - 1) / fewest;
  const int64_t bands = (s.OH + band - 1) / band, items = s.N * bands, work = s.N * s.OH * s.OW * size;
  int64_t pixel_chunks = smaller(smaller(items, kMostParts), work / kWeightGrain + 1);
  pixel_chunks = larger<int64_t>(smaller(pixel_chunks, kPartialFloats / size), 1);

  // Rows of the weights are runs of inputs: a tap's, or of several that lie beside each other.
  const bool by_tap = source.looked_up();
  Segment* segments = static_cast<Segment*>(context.scratch(static_cast<size_t>(s.kh * s.kw) * sizeof(Segment)));
  const Layout layout = by_tap ? Layout{s.sh * s.W * s.C, s.sw * s.C, 0, 0, 0, {}, {}} : layout_of(source, band);
  const int64_t runs = by_tap ? s.kh * s.kw : segments_of(source, layout, segments), length = runs > 0 ? s.kh * s.kw * Cg / runs : 0;

  // A chunk is a part of the tiles, of one panel of one group, over some pixels. Each copies what it reads: then a panel's are not parted.
  const int64_t whole_panels = pixel_chunks * s.groups * panels.count(), rows = runs * Tiles(length, rows_for(panels.width(0))).count;
  const int64_t wanted = layout.copy_size > 0 ? 1 : smaller(smaller(work / kWeightGrain, kEnoughUnits) / whole_panels, rows);
  const int64_t parts_of_panel = larger<int64_t>(wanted, 1);
  const int64_t pieces = whole_panels * parts_of_panel, units = work < kWeightGrain / 4 ? 1 : pieces;

  const int64_t slots = units == 1 ? 1 : context.threads();
  float* copies = static_cast<float*>(context.scratch(static_cast<size_t>(slots * layout.copy_size) * sizeof(float)));
  const int64_t packed_size = packs ? band * s.OW * panels.width(panels.count() - 1) * Vec::width : 0;
  float* packed = static_cast<float*>(context.scratch(static_cast<size_t>(slots * packed_size) * sizeof(float)));
  float* parts = pixel_chunks == 1 ? a.dw : static_cast<float*>(context.scratch(static_cast<size_t>(pixel_chunks * size) * sizeof(float)));

  const bool far = is_read_far(s.N * s.OH * s.OW * s.K);
  const auto accumulate = [&](int64_t pixels, int64_t group, int64_t index, int64_t part, float* copy, float* panel_of_g) {
    const int nr = panels.width(index), tail = panels.tail(index);
    const Tiles tiles(length, rows_for(nr));
    const int64_t first = part * runs * tiles.count / parts_of_panel, last = (part + 1) * runs * tiles.count / parts_of_panel;
    const int64_t column = group * Kg + panels.first(index) * Vec::width;
    const int64_t begin = pixels * items / pixel_chunks, end = (pixels + 1) * items / pixel_chunks;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t image = item / bands, row = item % bands * band, height = smaller(band, s.OH - row);
      const float* const base = by_tap ? source.image(image, group * Cg) : open_band(source, layout, image, group * Cg, row, band, copy);
      const float* g = a.g + (image * s.OH + row) * s.OW * s.K + column;
      int64_t g_step = s.K;
      if (packs) {
        pack_panel(g, s.K, height * s.OW, nr, tail, panel_of_g);
        g = panel_of_g, g_step = nr * Vec::width;
      }
      for (int64_t tile = first; tile < last; ++tile) {
        const int64_t run = tile / tiles.count, t = tile % tiles.count, input = tiles.begin(t);
        Inside down = {0, height}, across = {0, s.OW};
        int64_t from = by_tap ? 0 : segments[run].offset;
        if (by_tap) {
          const int64_t h = run / s.kw, w = run % s.kw;
          down = outputs_inside(source.rows, h, row, row + height);
          across = outputs_inside(source.cols, w, 0, s.OW);
          from = ((down.first * s.sh + h * s.dh - s.top) * s.W + across.first * s.sw + w * s.dw - s.left) * s.C;
          if (down.first == down.last || across.first == across.last) from = 0, down.last = down.first;  // nothing is read
          down.first -= row, down.last -= row;
        }
        const OuterStep step = {base + from + input,
                                layout.row_step,
                                layout.col_step,
                                g + (down.first * s.OW + across.first) * g_step,
                                s.OW * g_step,
                                g_step,
                                down.last - down.first,
                                across.last - across.first,
                                parts + pixels * size + column + (run * length + input) * s.K,
                                s.K,
                                nullptr,
                                item > begin,
                                tail,
                                far && !packs && tile == first ? kPixelsAhead * s.K : 0};
        outer_kernel(static_cast<int>(tiles.begin(t + 1) - input), nr)(step);
      }
    }
  };
  context.parallel(units, [&](int64_t unit, int slot) {
    for (int64_t piece = unit * pieces / units; piece < (unit + 1) * pieces / units; ++piece) {
      const int64_t panel = piece / parts_of_panel, group = panel / panels.count();
      accumulate(group / s.groups, group % s.groups, panel % panels.count(), piece % parts_of_panel, copies + slot * layout.copy_size,
                 packed + slot * packed_size);
    }
  });
  if (pixel_chunks > 1) sum_parts(parts, pixel_chunks, size, a.dw, context);
}

}  // namespace receptive::RECEPTIVE_ISA
