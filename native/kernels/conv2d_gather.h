// The loop nest of forward convolution, and of the gradient with respect to the input.
//
// For a 1x1 convolution without stride pixels are rows of a matrix, and this is a product (gather_line). Else:
//
//   for each chunk: (image and band of output rows, group, panel group; panels outermost where they do not fit L2)
//     copy the band's input rows with zeros around them         L1/L2, only where there is padding
//     for each panel of NR vectors of output channels
//       for each block of reduction steps                       its part of the panel stays in L2
//         for each tile of MR output pixels, across rows        its input stays in L1
//           acc[MR][NR] in registers over the block's segments: a row of taps is one contiguous run of kw*C inputs
#pragma once

#include "conv2d_source.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kGatherGrain = 1 << 19;  // multiply-adds worth a chunk
constexpr int64_t kPanelFloats = 1 << 16;  // of a reduction block: 256 KiB
constexpr int64_t kCopyFloats = 1 << 16;   // of a band's copy, if one row allows
constexpr int64_t kWeightsInL2 = 1 << 17;  // floats: beyond, consecutive chunks share a panel, else a band
constexpr int64_t kEnoughChunks = 64;
constexpr int64_t kTapsAtOnce = 32;  // looked up

struct Gather {
  Source source;
  // Packed weights: for each group, panels over its output channels, of steps() steps.
  const float* weights;
  int64_t weights_row;  // 0, or: not packed, but one matrix of rows so far apart, with whole vectors of columns
  const float* bias;    // or null
  // Output pixel (i, j) of an image lies at y + image*y_image + i*y_row + j*y_col.
  float* y;
  int64_t y_image, y_row, y_col;
  int64_t out_channels;  // of one group
  const Finish* finish = nullptr;
  bool few = false;  // pixels: shorter reduction blocks, whether weights are packed or not

  int64_t groups() const { return source.channels / source.window; }
  int64_t steps() const { return source.rows.taps * source.cols.taps * source.window; }
  bool far() const { return writes_far(y, source.images * y_image, y_col) && out_channels % Vec::width == 0; }
};

struct GatherRuns {
  Layout layout;
  Segment* segments;
  int64_t count;
  const float* zeros;  // null: not looked up
};

// One panel over one band of `rows` rows from `row` on; `base` is where the first one's taps begin, or the image where taps are looked up.
RECEPTIVE_INLINE void gather_panel(const Gather& g, const GatherRuns& runs, const float* base, int64_t row, int64_t rows, int64_t group,
                                   const Panels& panels, int64_t index, float* y) {
  const int nr = panels.width(index), tail = panels.tail(index);
  const int64_t column = group * g.out_channels + panels.first(index) * Vec::width;
  const int64_t b_step = g.weights_row > 0 ? g.weights_row : nr * Vec::width;
  const float* weights =
      g.weights_row > 0 ? g.weights + column : g.weights + group * panels.size(g.steps()) + panels.offset(index, g.steps());
  const int64_t cols = g.source.cols.out, limit = (g.few ? kPanelFloats / 4 : kPanelFloats) / (nr * Vec::width);
  const Tiles tiles(rows * cols, rows_for(nr));
  const bool far = g.far(), ahead = index == 0 && !runs.zeros && runs.count == 1 && runs.layout.copy_size == 0 && g.source.is_far();
  const float* places[kTapsAtOnce * kMaxMR];
  const int64_t most = runs.zeros ? kTapsAtOnce : runs.count;
  int64_t done = 0, first = 0;
  do {
    int64_t last = first, steps = 0;
    while (last < runs.count && last - first < most && (last == first || steps + runs.segments[last].length <= limit)) {
      steps += runs.segments[last++].length;
    }
    const RowsStep step = {runs.segments + first,
                           last - first,
                           weights + done * b_step,
                           b_step,
                           g.bias && first == 0 ? g.bias + column : nullptr,
                           first > 0,
                           tail,
                           last == runs.count ? g.finish : nullptr,
                           far && last == runs.count,
                           runs.zeros ? places : nullptr};
    int64_t i = 0, j = 0;
    for (int64_t t = 0; t < tiles.count; ++t) {
      RowsTile tile;
      const int mr = static_cast<int>(tiles.begin(t + 1) - tiles.begin(t));
      for (int m = 0; m < mr; ++m) {
        if (runs.zeros) {
          look_up(g.source, base, row + i, j, first, last, runs.zeros, places + m);
        } else {
          tile.a[m] = base + i * runs.layout.row_step + j * runs.layout.col_step;
        }
        tile.y[m] = y + i * g.y_row + j * g.y_col + column;
        if (++j == cols) j = 0, ++i;
      }
      if (ahead) ask_for(tile.a[mr - 1] + runs.layout.col_step, mr * g.source.window);
      rows_kernel(mr, nr)(tile, step);
    }
    done += steps;
    first = last;
  } while (first < runs.count);
}

// Whether each pixel of the output sees one of the input, and those of both lie beside each other: a product of matrices. Pixels that come
// from far are better asked for row by row.
RECEPTIVE_INLINE bool in_line(const Gather& g) {
  const Axis &rows = g.source.rows, &cols = g.source.cols;
  return g.groups() == 1 && rows.taps == 1 && cols.taps == 1 && rows.stride == 1 && cols.stride == 1 && rows.in == rows.out &&
         cols.in == cols.out && g.source.in_place() && !g.source.is_far() && g.y_row == cols.out * g.y_col &&
         g.y_image == rows.out * g.y_row && g.steps() * g.out_channels > 0;
}

// Chunks are blocks of pixels, whatever their rows, each for one panel: of whole tiles of any panel.
inline RECEPTIVE_OUTLINE void gather_line(Context& context, const Gather& g) {
  const Panels panels(g.out_channels);
  const int64_t pixels = g.source.images * g.source.rows.out * g.source.cols.out, steps = g.steps(),
                total = pixels * steps * g.out_channels;
  const int widest = panels.width(panels.count() - 1);
  const int64_t tile = panels.vectors() % panels.count() == 0 ? rows_for(widest) : 2 * rows_for(widest);
  const int64_t block = larger<int64_t>(kGatherGrain / 4 / (tile * steps * widest * Vec::width), 1) * tile;
  const int64_t blocks = larger<int64_t>(pixels / block, 1), units = blocks * panels.count();
  const int64_t grain = total < kEnoughChunks * kGatherGrain ? kGatherGrain / 4 : kGatherGrain;
  const int64_t chunks = larger<int64_t>(smaller(units, total / grain), 1);
  const bool large = steps * g.out_channels > kWeightsInL2, far = g.far();
  const Segment all = {0, steps};
  context.parallel(chunks, [&](int64_t chunk, int slot) {
    for (int64_t unit = chunk * units / chunks; unit < (chunk + 1) * units / chunks; ++unit) {
      const int64_t index = large ? unit / blocks : unit % panels.count(), part = large ? unit % blocks : unit / panels.count();
      const int64_t first = part * block, last = part + 1 == blocks ? pixels : first + block;
      const int nr = panels.width(index);
      const int64_t column = panels.first(index) * Vec::width, b_step = g.weights_row > 0 ? g.weights_row : nr * Vec::width;
      const float* const weights = g.weights + (g.weights_row > 0 ? column : panels.offset(index, steps));
      RowsStep step = {&all, 1, weights, b_step, g.bias ? g.bias + column : nullptr, false, panels.tail(index), g.finish, far};
      // The next panel, a part of it with each block, where this thread goes on with it.
      if (large && g.weights_row == 0 && (unit + blocks) * context.threads() < (slot + 1) * units) {
        const int64_t tiles = larger<int64_t>((last - first) / rows_for(nr), 1);
        step.next_step = b_step / (tiles * blocks);
        step.next = weights + steps * b_step + part * steps * b_step / blocks;
      }
      run_rows(nr, {g.source.data + first * steps, steps, g.y + first * g.y_col + column, g.y_col, last - first}, step);
    }
    end_far();
  });
}

// Runs `count` gathers that share images, groups and channels and write disjoint pixels (the phases of a stride).
inline RECEPTIVE_OUTLINE void gather(Context& context, const Gather* gathers, int64_t count) {
  const Gather& any = gathers[0];
  if (count == 1 && in_line(any)) return gather_line(context, any);
  const int64_t groups = any.groups(), images = any.source.images;
  const Panels panels(any.out_channels);
  int64_t work = 0, rows = 0, copy_row = 0, taps = 0;  // of one image and group; the most rows of any gather
  for (int64_t p = 0; p < count; ++p) {
    const Gather& g = gathers[p];
    work += g.source.rows.out * g.source.cols.out * g.steps() * any.out_channels;
    rows = larger(rows, g.source.rows.out);
    taps = larger(taps, g.source.rows.taps * g.source.cols.taps);
    if (!g.source.in_place() && !g.source.looked_up())
      copy_row = larger(copy_row, cells_of(g.source.cols, g.source.cols.out).count * g.source.window);
  }
  if (rows == 0 || images == 0) return;

  // Bands: of about the grain, of at least a few tiles, and small enough for their copy.
  const int64_t total = work * images * groups;
  int64_t bands = total < kGatherGrain ? 1 : smaller(rows, work / kGatherGrain + 1);
  const auto of_tiles = [&](int64_t tiles) { return larger<int64_t>(rows * any.source.cols.out / (tiles * kMaxMR), 1); };
  const bool few = images * groups * panels.count() * smaller(bands, of_tiles(4)) < kEnoughChunks;
  bands = smaller(bands, of_tiles(few ? 1 : 4));
  if (copy_row > 0) bands = larger(bands, smaller(rows, rows * any.source.rows.stride * copy_row / kCopyFloats + 1));
  const int64_t band = (rows + bands - 1) / bands;
  bands = (rows + band - 1) / band;

  const int64_t items = images * bands * groups;
  const bool large = any.steps() * any.out_channels > kWeightsInL2;
  const bool split_panels = total >= kGatherGrain && (items < kEnoughChunks || large);
  const int64_t panel_chunks = split_panels ? panels.count() : 1;
  // Several items a chunk when they are small.
  const int64_t item_work = total / items / panel_chunks;
  const int64_t together = larger<int64_t>(1, smaller(items, kGatherGrain / 4 / larger<int64_t>(item_work, 1)));
  const int64_t item_chunks = total < kGatherGrain / 4 ? 1 : (items + together - 1) / together;

  Segment* segments = static_cast<Segment*>(context.scratch(static_cast<size_t>(count * taps) * sizeof(Segment)));
  GatherRuns* runs = static_cast<GatherRuns*>(context.scratch(static_cast<size_t>(count) * sizeof(GatherRuns)));
  const size_t window = static_cast<size_t>(any.source.window) * sizeof(float);
  float* const zeros = static_cast<float*>(context.scratch(window));
  memset(zeros, 0, window);
  int64_t copy_size = 0;
  for (int64_t p = 0; p < count; ++p) {
    const Source& source = gathers[p].source;
    Segment* const own = segments + p * taps;
    if (source.looked_up()) {
      const int64_t each = source.rows.taps * source.cols.taps;
      for (int64_t tap = 0; tap < each; ++tap) own[tap] = {0, source.window};
      runs[p] = {{}, own, each, zeros};
      continue;
    }
    const Layout layout = layout_of(source, smaller(band, source.rows.out));
    runs[p] = {layout, own, segments_of(source, layout, own), nullptr};
    copy_size = larger(copy_size, layout.copy_size);
  }
  const int64_t slots = item_chunks * panel_chunks == 1 ? 1 : context.threads();
  float* copies = static_cast<float*>(context.scratch(static_cast<size_t>(slots * copy_size) * sizeof(float)));

  context.parallel(item_chunks * panel_chunks, [&](int64_t chunk, int slot) {
    const int64_t panel = large ? chunk / item_chunks : chunk % panel_chunks;
    const int64_t part = large ? chunk % item_chunks : chunk / panel_chunks;
    const int64_t begin = part * items / item_chunks, end = (part + 1) * items / item_chunks;
    for (int64_t item = begin; item < end; ++item) {
      const int64_t group = item % groups, index = item / groups % bands, image = item / groups / bands;
      for (int64_t p = 0; p < count; ++p) {
        const Gather& g = gathers[p];
        const int64_t row = index * band, height = smaller(band, g.source.rows.out - row);
        if (height <= 0 || g.source.cols.out == 0) continue;
        const int64_t channel = group * g.source.window;
        const float* base = runs[p].zeros ? g.source.image(image, channel)
                                          : open_band(g.source, runs[p].layout, image, channel, row, smaller(band, g.source.rows.out),
                                                      copies + slot * copy_size);
        float* y = g.y + image * g.y_image + row * g.y_row;
        for (int64_t q = split_panels ? panel : 0; q < (split_panels ? panel + 1 : panels.count()); ++q) {
          gather_panel(g, runs[p], base, row, height, group, panels, q, y);
        }
      }
    }
    end_far();
  });
}

}  // namespace receptive::RECEPTIVE_ISA
