// Depthwise convolution, and the gradient of its weights.
//
//   forward, for each chunk of output pixels, for each run of them in a row
//     for each tile of MR pixels that see all columns of taps, or one that does not
//       for each NR vectors of channels                          a pixel's channels are read as they lie, one line after the other
//         acc[MR][NR] in registers over the taps inside the image
//
//   gradient of the weights, for each chunk (images, block of channels, band of output rows)
//     copy the block of the band's input rows with zeros around  L1, only where there is padding
//     for each NR channel vectors of the block, for each MR taps
//       acc[MR][NR] in registers over the band's pixels
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
  int64_t channels;
  const float* bias;  // or null
  const Finish* finish;
};

// NR vectors from channel c on; `lanes` of the last one are in use.
template <int MR, int NR, bool kTail>
RECEPTIVE_INLINE void taps_block(const RowsTile& rows, const TapsStep& step, int64_t c, int lanes) {
  Vec acc[MR][NR];
  for (int n = 0; n < NR; ++n) {
    const Vec start = step.bias == nullptr ? zero() : kTail ? load(step.bias + c, lanes) : load(step.bias + c + n * Vec::width);
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) acc[m][n] = start;
  }
  for (int64_t t = 0; t < step.count; ++t) {
    const float* w = step.taps[t].w + c;
    const int64_t offset = step.taps[t].offset + c;
#pragma GCC unroll 2
    for (int n = 0; n < NR; ++n) {
      const Vec weight = kTail ? load(w, lanes) : load(w + n * Vec::width);
#pragma GCC unroll 8
      for (int m = 0; m < MR; ++m) {
        const float* a = rows.a[m] + offset + n * Vec::width;
        acc[m][n] = fma(kTail ? load(a, lanes) : load(a), weight, acc[m][n]);
      }
    }
  }
  RowsTile there;
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) there.y[m] = rows.y[m] + c;
  if (step.finish) finish_rows<MR, NR>(there, *step.finish, lanes, acc);
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) store_row<NR>(there.y[m], lanes, acc[m]);
}

template <int MR, int NR>
void taps_tile(const RowsTile& rows, const TapsStep& step) {
  int64_t c = 0;
  for (; c + NR * Vec::width <= step.channels; c += NR * Vec::width) taps_block<MR, NR, false>(rows, step, c, Vec::width);
  for (; c + Vec::width <= step.channels; c += Vec::width) taps_block<MR, 1, false>(rows, step, c, Vec::width);
  if (c < step.channels) taps_block<MR, 1, true>(rows, step, c, static_cast<int>(step.channels - c));
}

constexpr int kSlideMR = 8;
constexpr int kSlideColumns = (kSlideMR - 1) * 2 + 7;  // the most that a tile of slide_tile sees

// Neighbouring pixels of a row, and the columns of the input that they see.
struct SlideTile {
  const float* a[kSlideColumns];  // in the first row of taps; beyond the image a line of zeros
  int64_t moves[kSlideColumns];   // -1, or 0 for that line: what the offset of a row of taps is masked with
  float* y[kSlideMR];
  int count;  // of the pixels, those that are wanted
};

// The same for KW taps beside each other, a stride of S and MR neighbouring pixels: each input is loaded once for all the taps that see it.
template <int KW, int S, int MR, bool kTail>
RECEPTIVE_INLINE void slide_block(const SlideTile& tile, const TapsStep& step, int64_t c, int lanes) {
  const auto read = [&](const float* p) { return kTail ? load(p, lanes) : load(p); };
  Vec acc[MR][1];
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) acc[m][0] = step.bias ? read(step.bias + c) : zero();
  for (int64_t t = 0; t < step.count; t += KW) {
    Vec w[KW];
#pragma GCC unroll 8
    for (int k = 0; k < KW; ++k) w[k] = read(step.taps[t + k].w + c);
    const int64_t offset = step.taps[t].offset;
#pragma GCC unroll 32
    for (int p = 0; p < (MR - 1) * S + KW; ++p) {
      const Vec x = read(tile.a[p] + (offset & tile.moves[p]) + c);
#pragma GCC unroll 8
      for (int k = 0; k < KW; ++k) {
        if (p >= k && (p - k) % S == 0 && (p - k) / S < MR) acc[(p - k) / S][0] = fma(x, w[k], acc[(p - k) / S][0]);
      }
    }
  }
  RowsTile there;
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) {
    if (m == tile.count) break;
    there.y[0] = tile.y[m] + c;
    Vec one[1][1] = {{acc[m][0]}};
    if (step.finish) finish_rows<1, 1>(there, *step.finish, lanes, one);
    store_row<1>(there.y[0], lanes, one[0]);
  }
}

template <int KW, int S, int MR>
void slide_tile(const SlideTile& tile, const TapsStep& step) {
  int64_t c = 0;
  for (; c + Vec::width <= step.channels; c += Vec::width) slide_block<KW, S, MR, false>(tile, step, c, Vec::width);
  if (c < step.channels) slide_block<KW, S, MR, true>(tile, step, c, static_cast<int>(step.channels - c));
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
using SlideKernel = void (*)(const SlideTile&, const TapsStep&);

// Of 3, 5 or 7 taps, a stride of 1 or 2, and half as many pixels where a row has few.
static SlideKernel slide_kernel(int64_t taps, int64_t stride, bool few) {
  static constexpr SlideKernel kernels[3][2][2] = {
      {{slide_tile<3, 1, kSlideMR>, slide_tile<3, 1, kSlideMR / 2>}, {slide_tile<3, 2, kSlideMR>, slide_tile<3, 2, kSlideMR / 2>}},
      {{slide_tile<5, 1, kSlideMR>, slide_tile<5, 1, kSlideMR / 2>}, {slide_tile<5, 2, kSlideMR>, slide_tile<5, 2, kSlideMR / 2>}},
      {{slide_tile<7, 1, kSlideMR>, slide_tile<7, 1, kSlideMR / 2>}, {slide_tile<7, 2, kSlideMR>, slide_tile<7, 2, kSlideMR / 2>}}};
  return kernels[(taps - 3) / 2][stride - 1][few];
}

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
  int64_t* offsets;  // of its taps
};

// Blocks of kBlockChannels channels, the last of what remains; bands of the same height for all.
struct Blocks {
  int64_t count, band, bands;
  Block whole, last;

  const Block& operator[](int64_t b) const { return b + 1 < count ? whole : last; }
};

static int64_t taps_of(const Source& source) { return source.rows.taps * source.cols.taps; }

static Block make_block(const Source& source, int64_t window, int64_t band, int64_t* offsets) {
  Block block = {source, {}, offsets};
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
  int64_t* offsets = static_cast<int64_t*>(context.scratch(static_cast<size_t>(2 * taps_of(source)) * sizeof(int64_t)));
  blocks.whole = make_block(source, window, blocks.band, offsets);
  blocks.last = make_block(source, source.channels - (blocks.count - 1) * kBlockChannels, blocks.band, offsets + taps_of(source));
  return blocks;
}

// Lists the taps of a block.
static void list_taps(const Block& block) {
  int64_t* offset = block.offsets;
  for (int64_t a = 0; a < block.source.rows.taps; ++a) {
    for (int64_t b = 0; b < block.source.cols.taps; ++b) *offset++ = a * block.layout.row_hop + b * block.layout.col_hop;
  }
}

// How many vectors, at most kDepthwiseNR, from channel c of a block on; and how many lanes of the last one.
static int vectors_at(const Block& block, int64_t c, int* tail) {
  const int64_t rest = block.source.window - c;
  const int nr = static_cast<int>(smaller<int64_t>((rest + Vec::width - 1) / Vec::width, kDepthwiseNR));
  *tail = static_cast<int>(smaller<int64_t>(rest - (nr - 1) * Vec::width, Vec::width));
  return nr;
}

// Outputs [begin, end) along an axis, those whose taps are all inside.
struct Inner {
  int64_t begin, end;
};
static Inner inner_of(const Axis& axis) {
  const int64_t last = axis.in - 1 - axis.origin - (axis.taps - 1) * axis.dilation;  // where the last base of an inner one may lie
  const int64_t begin = axis.origin >= 0 ? 0 : smaller(axis.out, (-axis.origin + axis.stride - 1) / axis.stride);
  const int64_t end = last < 0 ? begin : larger(begin, smaller(axis.out, last / axis.stride + 1));
  return {begin, end};
}

// Taps [first, last) of an output that lie inside.
struct Inside {
  int64_t first, last;
};
static Inside inside(const Axis& axis, int64_t output) {
  const int64_t base = output * axis.stride + axis.origin;
  const int64_t first = base >= 0 ? 0 : smaller(axis.taps, (-base + axis.dilation - 1) / axis.dilation);
  const int64_t last = base >= axis.in ? first : larger(first, smaller(axis.taps, (axis.in - 1 - base) / axis.dilation + 1));
  return {first, last};
}

// Lists taps of a rectangle, as seen from the first of them, and returns how many.
static int64_t list_taps(const Depthwise& d, const Inside& rows, const Inside& cols, Tap* taps) {
  int64_t count = 0;
  for (int64_t a = rows.first; a < rows.last; ++a) {
    for (int64_t b = cols.first; b < cols.last; ++b) {
      const int64_t cells = (a - rows.first) * d.source.rows.dilation * d.source.cols.in + (b - cols.first) * d.source.cols.dilation;
      taps[count++] = {cells * d.source.channels, d.w + a * d.w_row + b * d.w_col};
    }
  }
  return count;
}

// A run of output pixels [first, last) of one row.
struct Run {
  int64_t image, row, first, last;
  Inside down;   // the rows of taps inside
  int64_t line;  // the cell of the input where the first of them begins
};

static float* output_of(const Depthwise& d, const Run& run, int64_t col) {
  return d.y + run.image * d.y_image + run.row * d.y_row + col * d.y_col;
}

// Taps anywhere: tiles of pixels that see all columns of them, and the others one by one.
static void run_anywhere(const Depthwise& d, const Run& run, Tap* taps) {
  const Axis& cols = d.source.cols;
  const Inner inner = inner_of(cols);
  const auto tile_of = [&](int64_t first, int mr, int64_t tap, int64_t count) {
    RowsTile tile;
    for (int m = 0; m < mr; ++m) {
      const int64_t col = (first + m) * cols.stride + tap * cols.dilation + cols.origin;
      tile.a[m] = count > 0 ? d.source.data + (run.line + col) * d.source.channels : d.source.data;
      tile.y[m] = output_of(d, run, first + m);
    }
    taps_kernel(mr, kDepthwiseNR)(tile, {taps, count, d.source.channels, d.bias, d.finish});
  };
  int64_t j = run.first;
  const auto border = [&](int64_t last) {
    for (; j < last; ++j) {
      const Inside across = inside(cols, j);
      tile_of(j, 1, across.first, list_taps(d, run.down, across, taps));
    }
  };
  border(smaller(run.last, inner.begin));
  if (const int64_t last = smaller(run.last, inner.end); j < last) {
    const int64_t count = list_taps(d, run.down, {0, cols.taps}, taps);
    const Tiles tiles(last - j, rows_for(kDepthwiseNR));
    for (int64_t t = 0; t < tiles.count; ++t) {
      tile_of(j + tiles.begin(t), static_cast<int>(tiles.begin(t + 1) - tiles.begin(t)), 0, count);
    }
    j = last;
  }
  border(run.last);
}

static void run_sliding(const Depthwise& d, const Run& run, Tap* taps, const float* zeros) {
  const Axis& cols = d.source.cols;
  const int64_t count = list_taps(d, run.down, {0, cols.taps}, taps), width = run.last - run.first;
  const int most = width <= kSlideMR / 2 ? kSlideMR / 2 : kSlideMR;
  const SlideKernel kernel = slide_kernel(cols.taps, cols.stride, most < kSlideMR);
  const Tiles tiles(width, most);
  for (int64_t t = 0; t < tiles.count; ++t) {
    const int64_t first = run.first + tiles.begin(t), column = first * cols.stride + cols.origin;
    SlideTile tile;
    tile.count = static_cast<int>(tiles.begin(t + 1) - tiles.begin(t));
    const int seen = static_cast<int>((most - 1) * cols.stride + cols.taps);
    for (int p = 0; p < seen; ++p) {
      const bool there = column + p >= 0 && column + p < cols.in && count > 0;
      tile.a[p] = there ? d.source.data + (run.line + column + p) * d.source.channels : zeros;
      tile.moves[p] = there ? -1 : 0;
    }
    for (int m = 0; m < tile.count; ++m) tile.y[m] = output_of(d, run, first + m);
    kernel(tile, {taps, count, d.source.channels, d.bias, d.finish});
  }
}

void depthwise(const Depthwise& d, Context& context) {
  const Axis &rows = d.source.rows, &cols = d.source.cols;
  if (rows.out == 0 || cols.out == 0) return;
  const int64_t channels = d.source.channels, taps = taps_of(d.source), pixels = d.source.images * rows.out * cols.out;
  const bool slides = cols.dilation == 1 && cols.stride <= 2 && (cols.taps == 3 || cols.taps == 5 || cols.taps == 7);
  const int64_t chunks = larger<int64_t>(smaller(pixels / kMaxMR, pixels * taps * channels / (kDepthwiseGrain / 2)), 1);
  const int64_t slots = chunks == 1 ? 1 : context.threads();
  Tap* lists = static_cast<Tap*>(context.scratch(static_cast<size_t>(slots * taps) * sizeof(Tap)));
  float* zeros = static_cast<float*>(context.scratch(static_cast<size_t>(channels) * sizeof(float)));
  memset(zeros, 0, static_cast<size_t>(channels) * sizeof(float));

  context.parallel(chunks, [&](int64_t chunk, int slot) {
    const int64_t end = (chunk + 1) * pixels / chunks;
    for (int64_t pixel = chunk * pixels / chunks; pixel < end;) {
      const int64_t row = pixel / cols.out % rows.out, image = pixel / cols.out / rows.out, first = pixel % cols.out;
      const int64_t last = smaller(cols.out, first + end - pixel);
      const Inside down = inside(rows, row);
      const int64_t line = (image * rows.in + row * rows.stride + down.first * rows.dilation + rows.origin) * cols.in;
      const Run run = {image, row, first, last, down, line};
      slides ? run_sliding(d, run, lists + slot * taps, zeros) : run_anywhere(d, run, lists + slot * taps);
      pixel += last - first;
    }
  });
}

void depthwise_backward_weight(const Conv2dBackwardWeightArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  const Source source = {a.x, s.N, s.C, s.C, {s.OH, s.H, s.sh, s.kh, s.dh, -s.top}, {s.OW, s.W, s.sw, s.kw, s.dw, -s.left}};
  const Blocks blocks = make_blocks(source, context);
  list_taps(blocks.whole);
  list_taps(blocks.last);
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
              step.a[m] = base + block.offsets[first + m] + c;
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
