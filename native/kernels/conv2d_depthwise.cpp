// Depthwise convolution.
//
//   for each chunk of output pixels, for each run of them in a row
//     for each tile of MR pixels that see all columns of taps, or one that does not
//       for each NR vectors of channels                          a pixel's channels are read as they lie, one line after the other
//         acc[MR][NR] in registers over the taps inside the image
#include "conv2d_depthwise.h"

#include "far.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kDepthwiseGrain = 1 << 16;  // multiply-adds worth a chunk
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
  bool far;  // the output is, see far.h
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
  for (int m = 0; m < MR; ++m) step.far ? store_row_far<NR>(there.y[m], acc[m]) : store_row<NR>(there.y[m], lanes, acc[m]);
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
  // What the next tile will be the first to see, if that is far: so many floats in each of so many rows.
  const float* next;
  int64_t next_floats, next_rows, row;
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
    step.far ? store_row_far<1>(there.y[0], one[0]) : store_row<1>(there.y[0], lanes, one[0]);
  }
}

template <int KW, int S, int MR>
void slide_tile(const SlideTile& tile, const TapsStep& step) {
  const int64_t share = tile.next_floats * Vec::width / step.channels;
  const float* next = tile.next;
  int64_t c = 0;
  for (; c + Vec::width <= step.channels; c += Vec::width, next += share) {
    for (int64_t r = 0; r < tile.next_rows; ++r) ask_for(next + r * tile.row, share);
    slide_block<KW, S, MR, false>(tile, step, c, Vec::width);
  }
  if (c < step.channels) slide_block<KW, S, MR, true>(tile, step, c, static_cast<int>(step.channels - c));
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

static constexpr Grid<TapsFamily> taps_kernel;

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
    taps_kernel(mr, kDepthwiseNR)(tile, {taps, count, d.source.channels, d.bias, d.finish, d.far()});
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
    tile.row = cols.in * d.source.channels;
    tile.next_rows = d.reads_far() ? smaller(d.source.rows.stride, run.down.last - run.down.first) : 0;
    tile.next_floats = most * cols.stride * d.source.channels;
    tile.next = d.source.data + (run.line + (run.down.last - run.down.first - tile.next_rows) * cols.in + column) * d.source.channels +
                tile.next_floats;
    kernel(tile, {taps, count, d.source.channels, d.bias, d.finish, d.far()});
  }
}

// Output pixels [first, last) of a row, those of them that there are.
static void run_row(const Depthwise& d, int64_t image, int64_t row, int64_t first, int64_t last, Tap* taps, const float* zeros) {
  const Axis &rows = d.source.rows, &cols = d.source.cols;
  last = smaller(last, cols.out);
  if (row >= rows.out || first >= last) return;
  const Inside down = inside(rows, row);
  const int64_t line = (image * rows.in + row * rows.stride + down.first * rows.dilation + rows.origin) * cols.in;
  const Run run = {image, row, first, last, down, line};
  const bool slides = cols.dilation == 1 && cols.stride <= 2 && (cols.taps == 3 || cols.taps == 5 || cols.taps == 7);
  slides ? run_sliding(d, run, taps, zeros) : run_anywhere(d, run, taps);
}

void depthwise(Context& context, const Depthwise* parts, int64_t count) {
  int64_t rows = 0, cols = 0, taps = 0, all_taps = 0;
  for (int64_t p = 0; p < count; ++p) {
    const Source& source = parts[p].source;
    rows = larger(rows, source.rows.out), cols = larger(cols, source.cols.out);
    taps = larger(taps, taps_of(source)), all_taps += taps_of(source);
  }
  if (rows == 0 || cols == 0) return;
  const int64_t channels = parts[0].source.channels, pixels = parts[0].source.images * rows * cols;
  const int64_t chunks = larger<int64_t>(smaller(pixels / kMaxMR, pixels * all_taps * channels / kDepthwiseGrain), 1);
  const int64_t slots = chunks == 1 ? 1 : context.threads();
  Tap* lists = static_cast<Tap*>(context.scratch(static_cast<size_t>(slots * taps) * sizeof(Tap)));
  float* zeros = static_cast<float*>(context.scratch(static_cast<size_t>(channels) * sizeof(float)));
  memset(zeros, 0, static_cast<size_t>(channels) * sizeof(float));

  context.parallel(chunks, [&](int64_t chunk, int slot) {
    const int64_t end = (chunk + 1) * pixels / chunks;
    for (int64_t pixel = chunk * pixels / chunks; pixel < end;) {
      const int64_t row = pixel / cols % rows, image = pixel / cols / rows, first = pixel % cols;
      const int64_t width = smaller(cols - first, end - pixel);
      for (int64_t p = 0; p < count; ++p) run_row(parts[p], image, row, first, first + width, lists + slot * taps, zeros);
      pixel += width;
    }
    end_far();
  });
}

}  // namespace receptive::RECEPTIVE_ISA
