// Depthwise convolution, and the gradient of its weights.
//
//   for each chunk: (images, block of channels, band of output rows)
//     copy the block of the band's input rows with zeros around  L1, only where there is padding
//     for each NR channel vectors of the block
//       forward: for each tile of MR output pixels, across rows
//         acc[MR][NR] in registers over the taps
//       gradient of the weights: for each MR taps
//         acc[MR][NR] in registers over the band's pixels
#include "conv2d_depthwise.h"

#include "conv2d_parts.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kBlockChannels = 32;
constexpr int64_t kDepthwiseGrain = 1 << 17;  // multiply-adds worth a chunk
constexpr int64_t kBlockFloats = 12 << 10;    // of a band's copy, if one row allows
constexpr int kDepthwiseNR = 2;

struct Tap {
  int64_t offset;  // from a pixel's base
  const float* w;
};

struct TapsStep {
  const Tap* taps;
  int64_t count;
  int64_t channel;
  const float* bias;  // of channel 0, or null
  int tail;
  const Finish* finish;
};

template <int MR, int NR, bool kTail>
RECEPTIVE_INLINE void taps_sum(const RowsTile& rows, const TapsStep& step, Vec (&acc)[MR][NR]) {
  for (int64_t t = 0; t < step.count; ++t) {
    const float* w = step.taps[t].w + step.channel;
    const int64_t offset = step.taps[t].offset;
#pragma GCC unroll 2
    for (int n = 0; n < NR; ++n) {
      const bool partial = kTail && n == NR - 1;
      const Vec weight = partial ? load(w + n * Vec::width, step.tail) : load(w + n * Vec::width);
#pragma GCC unroll 8
      for (int m = 0; m < MR; ++m) {
        const float* a = rows.a[m] + offset + n * Vec::width;
        acc[m][n] = fma(partial ? load(a, step.tail) : load(a), weight, acc[m][n]);
      }
    }
  }
}

template <int MR, int NR>
void taps_tile(const RowsTile& rows, const TapsStep& step) {
  Vec acc[MR][NR], start[NR];
  for (int n = 0; n < NR; ++n) start[n] = zero();
  if (step.bias) load_row<NR>(step.bias + step.channel, step.tail, start);
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m)
    for (int n = 0; n < NR; ++n) acc[m][n] = start[n];
  if (step.tail == Vec::width) {
    taps_sum<MR, NR, false>(rows, step, acc);
  } else {
    taps_sum<MR, NR, true>(rows, step, acc);
  }
  if (step.finish) finish_rows<MR, NR>(rows, *step.finish, step.tail, acc);
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) store_row<NR>(rows.y[m], step.tail, acc[m]);
}

// y[tap] += sum over a rectangle of pixels of a[tap][pixel] * g[pixel].
struct PixelsStep {
  const float* a[kMaxMR];
  float* y[kMaxMR];
  int64_t a_row, a_col;
  const float* g;
  int64_t g_row, g_col, rows, cols;
  bool accumulate;
  int tail;
};

template <int MR, int NR, bool kTail>
RECEPTIVE_INLINE void pixels_sum(const PixelsStep& step, Vec (&acc)[MR][NR]) {
  for (int64_t i = 0; i < step.rows; ++i) {
    const float* a[MR];
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) a[m] = step.a[m] + i * step.a_row;
    const float* g = step.g + i * step.g_row;
    int64_t offset = 0;
    for (int64_t j = 0; j < step.cols; ++j, g += step.g_col, offset += step.a_col) {
#pragma GCC unroll 2
      for (int n = 0; n < NR; ++n) {
        const bool partial = kTail && n == NR - 1;
        const Vec gradient = partial ? load(g + n * Vec::width, step.tail) : load(g + n * Vec::width);
#pragma GCC unroll 8
        for (int m = 0; m < MR; ++m) {
          const float* x = a[m] + offset + n * Vec::width;
          acc[m][n] = fma(partial ? load(x, step.tail) : load(x), gradient, acc[m][n]);
        }
      }
    }
  }
}

template <int MR, int NR>
void pixels_tile(const PixelsStep& step) {
  Vec acc[MR][NR];
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) {
    for (int n = 0; n < NR; ++n) acc[m][n] = zero();
    if (step.accumulate) load_row<NR>(step.y[m], step.tail, acc[m]);
  }
  if (step.tail == Vec::width) {
    pixels_sum<MR, NR, false>(step, acc);
  } else {
    pixels_sum<MR, NR, true>(step, acc);
  }
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) store_row<NR>(step.y[m], step.tail, acc[m]);
}

struct TapsFamily {
  static constexpr int max_nr = kDepthwiseNR;
  using Kernel = void (*)(const RowsTile&, const TapsStep&);
  template <int MR, int NR>
  static constexpr Kernel tile = taps_tile<MR, NR>;
};
struct PixelsFamily {
  static constexpr int max_nr = kDepthwiseNR;
  using Kernel = void (*)(const PixelsStep&);
  template <int MR, int NR>
  static constexpr Kernel tile = pixels_tile<MR, NR>;
};
static constexpr Grid<TapsFamily> taps_kernel;
static constexpr Grid<PixelsFamily> pixels_kernel;

// A block of channels: its window of the source, how a band of it is laid out, and its taps.
struct Block {
  Source source;
  Layout layout;
  Tap* taps;
};

// Blocks of kBlockChannels channels, the last of what remains; bands of the same height for all.
struct Blocks {
  int64_t count, band, bands;
  Block whole, last;

  const Block& operator[](int64_t b) const { return b + 1 < count ? whole : last; }
};

static int64_t taps_of(const Source& source) { return source.rows.taps * source.cols.taps; }

static Block make_block(const Source& source, int64_t window, int64_t band, Tap* taps) {
  Block block = {source, {}, taps};
  block.source.window = window;
  block.layout = layout_of(block.source, band);
  return block;
}

static Blocks make_blocks(const Source& source, Context& context) {
  Blocks blocks;
  const int64_t rows = source.rows.out;
  blocks.count = (source.channels + kBlockChannels - 1) / kBlockChannels;
  const int64_t window = smaller(source.channels, kBlockChannels);
  const int64_t copied = source.rows.stride * cells_of(source.cols, source.cols.out).count * window;
  const int64_t work = rows * source.cols.out * taps_of(source) * window;
  blocks.bands = smaller(rows, larger(rows * copied / kBlockFloats, work / kDepthwiseGrain) + 1);
  blocks.band = (rows + blocks.bands - 1) / blocks.bands;
  blocks.bands = (rows + blocks.band - 1) / blocks.band;
  Tap* taps = static_cast<Tap*>(context.scratch(static_cast<size_t>(2 * taps_of(source)) * sizeof(Tap)));
  blocks.whole = make_block(source, window, blocks.band, taps);
  blocks.last = make_block(source, source.channels - (blocks.count - 1) * kBlockChannels, blocks.band, taps + taps_of(source));
  return blocks;
}

// Lists the taps of a block and where their weights, or gradients of them, lie.
static void list_taps(const Block& block, const float* w, int64_t w_row, int64_t w_col) {
  Tap* tap = block.taps;
  for (int64_t a = 0; a < block.source.rows.taps; ++a) {
    for (int64_t b = 0; b < block.source.cols.taps; ++b) {
      *tap++ = {a * block.layout.row_hop + b * block.layout.col_hop, w + a * w_row + b * w_col};
    }
  }
}

// How many vectors, at most kDepthwiseNR, from channel c of a block on; and how many lanes of the last one.
static int vectors_at(const Block& block, int64_t c, int* tail) {
  const int64_t rest = block.source.window - c;
  const int nr = static_cast<int>(smaller<int64_t>((rest + Vec::width - 1) / Vec::width, kDepthwiseNR));
  *tail = static_cast<int>(smaller<int64_t>(rest - (nr - 1) * Vec::width, Vec::width));
  return nr;
}

void depthwise(const Depthwise& d, Context& context) {
  if (d.source.rows.out == 0 || d.source.cols.out == 0) return;
  const Blocks blocks = make_blocks(d.source, context);
  list_taps(blocks.whole, d.w, d.w_row, d.w_col);
  list_taps(blocks.last, d.w, d.w_row, d.w_col);
  const int64_t cols = d.source.cols.out, items = d.source.images * blocks.bands * blocks.count;
  const int64_t work = d.source.images * d.source.rows.out * cols * taps_of(d.source) * d.source.channels;
  const int64_t chunks = larger<int64_t>(smaller(items, work / (kDepthwiseGrain / 2)), 1);
  const int64_t slots = chunks == 1 ? 1 : context.threads(), size = blocks.whole.layout.copy_size;
  float* copies = static_cast<float*>(context.scratch(static_cast<size_t>(slots * size) * sizeof(float)));

  context.parallel(chunks, [&](int64_t chunk, int slot) {
    for (int64_t item = chunk * items / chunks; item < (chunk + 1) * items / chunks; ++item) {
      const int64_t index = item % blocks.count, row = item / blocks.count % blocks.bands * blocks.band;
      const int64_t image = item / blocks.count / blocks.bands, height = smaller(blocks.band, d.source.rows.out - row);
      const Block& block = blocks[index];
      const float* base = open_band(block.source, block.layout, image, index * kBlockChannels, row, blocks.band, copies + slot * size);
      float* y = d.y + image * d.y_image + row * d.y_row + index * kBlockChannels;
      for (int64_t c = 0; c < block.source.window; c += kDepthwiseNR * Vec::width) {
        int tail;
        const int nr = vectors_at(block, c, &tail);
        const TapsStep step = {block.taps, taps_of(d.source), index * kBlockChannels + c, d.bias, tail, d.finish};
        const Tiles tiles(height * cols, rows_for(nr));
        int64_t i = 0, j = 0;
        for (int64_t t = 0; t < tiles.count; ++t) {
          RowsTile tile;
          const int mr = static_cast<int>(tiles.begin(t + 1) - tiles.begin(t));
          for (int m = 0; m < mr; ++m) {
            tile.a[m] = base + i * block.layout.row_step + j * block.layout.col_step + c;
            tile.y[m] = y + i * d.y_row + j * d.y_col + c;
            if (++j == cols) j = 0, ++i;
          }
          taps_kernel(mr, nr)(tile, step);
        }
      }
    }
  });
}

void depthwise_backward_weight(const Conv2dBackwardWeightArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  const Source source = {a.x, s.N, s.C, s.C, {s.OH, s.H, s.sh, s.kh, s.dh, -s.top}, {s.OW, s.W, s.sw, s.kw, s.dw, -s.left}};
  const Blocks blocks = make_blocks(source, context);
  list_taps(blocks.whole, nullptr, 0, 0);
  list_taps(blocks.last, nullptr, 0, 0);
  const int64_t taps = taps_of(source), items = s.N * blocks.bands, size = taps * s.C;
  const int64_t work = s.N * s.OH * s.OW * taps * s.C;
  const int64_t pixel_chunks = larger<int64_t>(smaller(smaller(items, kMostParts), work / blocks.count / kDepthwiseGrain), 1);
  const int64_t pieces = pixel_chunks * blocks.count;
  const int64_t chunks = larger<int64_t>(smaller(pieces, work / (kDepthwiseGrain / 2)), 1);
  const int64_t slots = chunks == 1 ? 1 : context.threads(), copy = blocks.whole.layout.copy_size;
  float* copies = static_cast<float*>(context.scratch(static_cast<size_t>(slots * copy) * sizeof(float)));
  float* parts = pixel_chunks == 1 ? a.dw : static_cast<float*>(context.scratch(static_cast<size_t>(pixel_chunks * size) * sizeof(float)));

  context.parallel(chunks, [&](int64_t chunk, int slot) {
    for (int64_t piece = chunk * pieces / chunks; piece < (chunk + 1) * pieces / chunks; ++piece) {
      const int64_t index = piece % blocks.count, pixels = piece / blocks.count;
      const int64_t begin = pixels * items / pixel_chunks, end = (pixels + 1) * items / pixel_chunks;
      const Block& block = blocks[index];
      for (int64_t item = begin; item < end; ++item) {
        const int64_t image = item / blocks.bands, row = item % blocks.bands * blocks.band;
        const float* base = open_band(block.source, block.layout, image, index * kBlockChannels, row, blocks.band, copies + slot * copy);
        const int64_t channel = index * kBlockChannels;
        for (int64_t c = 0; c < block.source.window; c += kDepthwiseNR * Vec::width) {
          PixelsStep step;
          const int nr = vectors_at(block, c, &step.tail);
          step.a_row = block.layout.row_step, step.a_col = block.layout.col_step;
          step.g = a.g + (image * s.OH + row) * s.OW * s.K + channel + c;
          step.g_row = s.OW * s.K, step.g_col = s.K;
          step.rows = smaller(blocks.band, s.OH - row), step.cols = s.OW;
          step.accumulate = item > begin;
          const Tiles tiles(taps, rows_for(nr));
          for (int64_t t = 0; t < tiles.count; ++t) {
            const int64_t first = tiles.begin(t);
            const int mr = static_cast<int>(tiles.begin(t + 1) - first);
            for (int m = 0; m < mr; ++m) {
              step.a[m] = base + block.taps[first + m].offset + c;
              step.y[m] = parts + pixels * size + (first + m) * s.C + channel + c;
            }
            pixels_kernel(mr, nr)(step);
          }
        }
      }
    }
  });
  if (pixel_chunks > 1) sum_parts(parts, pixel_chunks, size, a.dw, context);
}

}  // namespace receptive::RECEPTIVE_ISA
