// Depthwise convolution.
//
//   for each chunk of blocks of output pixels
//     3, 5 or 7 taps beside each other and a stride of 1 or 2:
//       for each tile of MR pixels of a row, for each vector of channels
//         for each row of the block                        what it has seen of the input stays in L1
//           acc[MR] in registers: each input is loaded once for all the taps that see it
//     any others, row by row:
//       for each tile of MR pixels that see all columns of taps, or one that does not
//         for each NR vectors of channels
//           acc[MR][NR] in registers over the taps inside the image
#include "conv2d_depthwise.h"

#include "far.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kDepthwiseGrain = 1 << 16;  // multiply-adds worth a chunk
constexpr int64_t kFarWork = 1 << 19;         // and a piece of a row that is far
constexpr int64_t kPiece = 14;                // pixels of any other: rows of 7 to 224 are as common as powers of two
constexpr int64_t kMostRows = 8;              // of a block
constexpr int64_t kEnoughBlocks = 32;         // to be spread over threads: more make for fewer rows
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
  write_tile<MR, NR>(there, step.finish, false, step.far, lanes, acc);
}

// Lanes in use of a vector where there are so many channels left.
RECEPTIVE_INLINE int lanes_of(int64_t channels) { return static_cast<int>(smaller<int64_t>(Vec::width, channels)); }

// The channels from c on that do not fill a vector, pixel by pixel: one function for all tiles.
static RECEPTIVE_OUTLINE void taps_tail(const RowsTile& rows, int mr, const TapsStep& step, int64_t c) {
  for (int m = 0; m < mr; ++m) {
    const RowsTile one = {{rows.a[m]}, {rows.y[m]}};
    taps_block<1, 1, true>(one, step, c, lanes_of(step.channels - c));
  }
}

template <int MR, int NR>
static void taps_tile(const RowsTile& rows, const TapsStep& step) {
  int64_t c = 0;
  for (; c + NR * Vec::width <= step.channels; c += NR * Vec::width) taps_block<MR, NR, false>(rows, step, c, Vec::width);
  if constexpr (Vec::masks) {
    for (; c < step.channels; c += Vec::width) taps_block<MR, 1, true>(rows, step, c, lanes_of(step.channels - c));
  } else {
    for (; c + Vec::width <= step.channels; c += Vec::width) taps_block<MR, 1, false>(rows, step, c, Vec::width);
    if (c < step.channels) taps_tail(rows, MR, step, c);
  }
}

// Pixels of a tile of KW taps: their sums, a row of weights and an input are in registers.
constexpr int slide_pixels(int kw) { return Vec::registers == 32 ? 14 : kw == 3 ? 8 : 7; }

// Pixels of neighbouring rows of the output, and what they see of the input.
struct Block {
  struct Row {
    const float* x;  // column 0 of the first row of taps inside
    const float* w;  // of that row of taps
    int64_t taps;    // rows of them inside
    float* y;        // of the first pixel
  } rows[kMostRows];
  int64_t height, pixels;    // of a row
  int64_t left, cols;        // where the first pixel begins, which may be outside, and how many there are of the input
  int64_t x_row;             // floats from a row of taps to the next
  const float* ahead;        // where the input is far: column 0 of the rows that this block is the first to see
  int64_t rows_ahead, next;  // how many, and floats from one to the next
  Depthwise part;            // a copy: one pointer less while all registers are in use
  const GroupOrder& order;
  bool far;  // the output is, see far.h
};

template <int KW, int S, bool kGrouped, bool kTail>
RECEPTIVE_INLINE void slide_tile(const Block& block, const Block::Row& row, int64_t c, int64_t first, int count) {
  constexpr int MR = slide_pixels(KW);
  const Depthwise& d = block.part;
  const int64_t channels = d.source.channels, left = block.left + first * S;
  const int lanes = kTail ? static_cast<int>(channels) : Vec::width;
  const auto read = [&](const float* p) { return kTail ? load(p, lanes) : load(p); };
  const Vec start = d.bias ? read(d.bias + c) : zero();
  Vec acc[MR];
#pragma GCC unroll 16
  for (int m = 0; m < MR; ++m) acc[m] = start;
  // Of the columns seen those inside.
  const int begin = static_cast<int>(larger<int64_t>(-left, 0));
  const int end = static_cast<int>(smaller<int64_t>((count - 1) * S + KW, block.cols - left));
  const float* w_row = row.w + c;
  int64_t at = left * channels + c;
  for (int64_t r = 0; r < row.taps; ++r, at += block.x_row, w_row += d.w_row) {
    for (int64_t g = 0; g < (kGrouped ? d.group : 1); ++g) {
      const Order order = order_of(block.order.lane, static_cast<int>(g));
      Vec w[KW];
#pragma GCC unroll 8
      for (int k = 0; k < KW; ++k) w[k] = read(w_row + k * d.w_col + g * d.w_channel);
      int64_t cell = at;
#pragma GCC unroll 64
      for (int p = 0; p < (MR - 1) * S + KW; ++p, cell = held(cell + channels)) {
        if (p >= end) break;
        if (p < KW - 1 && p < begin) continue;
        const Vec x = kGrouped ? permute(read(row.x + cell), order) : held(read(row.x + cell));
#pragma GCC unroll 8
        for (int k = 0; k < KW; ++k) {
          if (p >= k && (p - k) % S == 0 && (p - k) / S < MR) acc[(p - k) / S] = fma(x, w[k], acc[(p - k) / S]);
        }
      }
    }
  }
  const bool far = block.far;
  const int64_t pixel = d.y_col;
  float* y = row.y + first * pixel + c;
  if (d.finish) {
    if (d.finish->add) {
      const float* add = d.finish->add + (y - d.finish->y);
#pragma GCC unroll 16
      for (int m = 0; m < MR; ++m, add += pixel) {
        if (m < count) acc[m] = acc[m] + read(add);
      }
    }
    const Vec low = broadcast(static_cast<float>(d.finish->clip.low)), high = broadcast(static_cast<float>(d.finish->clip.high));
#pragma GCC unroll 16
    for (int m = 0; m < MR; ++m) acc[m] = min(high, max(low, acc[m]));
  }
#pragma GCC unroll 16
  for (int m = 0; m < MR; ++m, y += pixel) {
    if (m == count) break;
    far ? store_far(y, acc[m]) : store_some(y, acc[m], lanes);
  }
}

// The last vector ends with the channels: some of them are computed twice. What comes from far comes best in the order it lies in, asked
// for a tile ahead.
template <int KW, int S, bool kGrouped>
static void slide(const Block& block) {
  const int64_t channels = block.part.source.channels;
  const Tiles tiles(block.pixels, slide_pixels(KW));
  if constexpr (kSlidesNarrow && !kGrouped) {
    if (channels < Vec::width) {
      for (int64_t t = 0; t < tiles.count; ++t) {
        const int64_t first = tiles.begin(t);
        for (int64_t i = 0; i < block.height; ++i) {
          slide_tile<KW, S, false, true>(block, block.rows[i], 0, first, static_cast<int>(tiles.begin(t + 1) - first));
        }
      }
      return;
    }
  }
  for (int64_t t = 0; t < tiles.count; ++t) {
    const int64_t first = tiles.begin(t), last = tiles.begin(t + 1), beside = (block.left + (last - 1) * S + KW) * channels;
    for (int64_t next = 0; next < channels; next += Vec::width) {
      for (int64_t r = 0; r < block.rows_ahead; ++r) {
        ask_for(block.ahead + r * block.next + beside + next * (last - first) * S, (last - first) * S * Vec::width);
      }
      const int64_t c = smaller(next, channels - Vec::width);
      for (int64_t i = 0; i < block.height; ++i) {
        slide_tile<KW, S, kGrouped, false>(block, block.rows[i], c, first, static_cast<int>(last - first));
      }
    }
  }
}

using SlideKernel = void (*)(const Block&);
static SlideKernel slide_for(const Axis& cols, int64_t group) {
  if (group > 1) return cols.stride == 1 ? slide<3, 1, true> : slide<3, 2, true>;
  static constexpr SlideKernel kernels[3][2] = {
      {slide<3, 1, false>, slide<3, 2, false>}, {slide<5, 1, false>, slide<5, 2, false>}, {slide<7, 1, false>, slide<7, 2, false>}};
  return kernels[cols.taps / 2 - 1][cols.stride - 1];
}

struct TapsFamily {
  static constexpr int max_nr = kDepthwiseNR;
  using Kernel = void (*)(const RowsTile&, const TapsStep&);
  template <int MR, int NR>
  static constexpr Kernel tile = taps_tile<MR, NR>;
};
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

// Output pixels [left, right) of rows [top, bottom) of an image.
struct Rectangle {
  int64_t image, top, bottom, left, right;
};

static float* output_of(const Depthwise& d, int64_t image, int64_t row, int64_t col) {
  return d.y + image * d.y_image + row * d.y_row + col * d.y_col;
}

static void run_sliding(const Depthwise& d, const Rectangle& pixels, const GroupOrder& order) {
  const Axis &rows = d.source.rows, &cols = d.source.cols;
  const int64_t next = cols.in * d.source.channels, width = pixels.right - pixels.left;
  const float* const image = d.source.data + pixels.image * rows.in * next;
  Block block = {{},      pixels.bottom - pixels.top,
                 width,   pixels.left * cols.stride + cols.origin,
                 cols.in, rows.dilation * next,
                 nullptr, 0,
                 next,    d,
                 order,   d.far()};
  for (int64_t i = 0; i < block.height; ++i) {
    const int64_t row = pixels.top + i;
    const Inside down = inside(rows, row);
    const int64_t first = down.first < down.last ? row * rows.stride + rows.origin + down.first * rows.dilation : 0;
    block.rows[i] = {image + first * next, d.w + down.first * d.w_row, down.last - down.first,
                     output_of(d, pixels.image, row, pixels.left)};
  }
  if (d.source.is_far()) {
    const int64_t below = (pixels.bottom - 1) * rows.stride + rows.origin + (rows.taps - 1) * rows.dilation + 1;
    const int64_t end = smaller(rows.in, below), begin = larger<int64_t>(0, below - block.height * rows.stride);
    if (begin < end) block.ahead = image + begin * next, block.rows_ahead = end - begin;
  }
  slide_for(cols, d.group)(block);
}

// Taps anywhere, pixels [first, last) of a row: tiles of those that see all columns of taps, and the others one by one.
static void run_anywhere(const Depthwise& d, int64_t image, int64_t row, int64_t first, int64_t last, Tap* taps) {
  const Axis &rows = d.source.rows, &cols = d.source.cols;
  const Inside down = inside(rows, row);
  const int64_t line = (image * rows.in + row * rows.stride + down.first * rows.dilation + rows.origin) * cols.in;
  const Inner inner = inner_of(cols);
  const auto tile_of = [&](int64_t pixel, int mr, int64_t tap, int64_t count) {
    RowsTile tile;
    for (int m = 0; m < mr; ++m) {
      const int64_t col = (pixel + m) * cols.stride + tap * cols.dilation + cols.origin;
      tile.a[m] = count > 0 ? d.source.data + (line + col) * d.source.channels : d.source.data;
      tile.y[m] = output_of(d, image, row, pixel + m);
    }
    taps_kernel(mr, kDepthwiseNR)(tile, {taps, count, d.source.channels, d.bias, d.finish, d.far()});
  };
  int64_t j = first;
  const auto border = [&](int64_t end) {
    for (; j < end; ++j) {
      const Inside across = inside(cols, j);
      tile_of(j, 1, across.first, list_taps(d, down, across, taps));
    }
  };
  border(smaller(last, inner.begin));
  if (const int64_t end = smaller(last, inner.end); j < end) {
    const int64_t count = list_taps(d, down, {0, cols.taps}, taps);
    const Tiles tiles(end - j, rows_for(kDepthwiseNR));
    for (int64_t t = 0; t < tiles.count; ++t) {
      tile_of(j + tiles.begin(t), static_cast<int>(tiles.begin(t + 1) - tiles.begin(t)), 0, count);
    }
    j = end;
  }
  border(last);
}

void depthwise(Context& context, const Depthwise* parts, int64_t count) {
  int64_t rows = 0, cols = 0, taps = 0, all_taps = 0;
  for (int64_t p = 0; p < count; ++p) {
    const Source& source = parts[p].source;
    rows = larger(rows, source.rows.out), cols = larger(cols, source.cols.out);
    taps = larger(taps, taps_of(source)), all_taps += taps_of(source);
  }
  if (rows == 0 || cols == 0) return;
  const int64_t images = parts[0].source.images, pixel_work = all_taps * parts[0].source.channels * parts[0].group;
  const bool far = parts[0].source.is_far();
  int64_t pieces = (cols + kPiece - 1) / kPiece;
  if (far) pieces = larger<int64_t>(smaller(pieces, cols * pixel_work / kFarWork), 1);
  const int64_t height = far ? 1 : larger<int64_t>(smaller(images * rows * pieces / kEnoughBlocks, kMostRows), 1);
  const int64_t bands = (rows + height - 1) / height, blocks = images * bands * pieces;
  const int64_t chunks = larger<int64_t>(smaller(blocks, images * rows * cols * pixel_work / kDepthwiseGrain), 1);
  const int64_t slots = chunks == 1 ? 1 : context.threads();
  Tap* lists = static_cast<Tap*>(context.scratch(static_cast<size_t>(slots * taps) * sizeof(Tap)));
  const GroupOrder order(parts[0].group);

  context.parallel(chunks, [&](int64_t chunk, int slot) {
    for (int64_t block = chunk * blocks / chunks; block < (chunk + 1) * blocks / chunks; ++block) {
      const int64_t piece = block % pieces, band = block / pieces % bands, image = block / pieces / bands;
      for (int64_t p = 0; p < count; ++p) {
        const Source& source = parts[p].source;
        const Rectangle pixels = {image, band * rows / bands, smaller((band + 1) * rows / bands, source.rows.out), piece * cols / pieces,
                                  smaller((piece + 1) * cols / pieces, source.cols.out)};
        if (pixels.top >= pixels.bottom || pixels.left >= pixels.right) continue;
        if (slides(source, parts[p].group)) {
          run_sliding(parts[p], pixels, order);
          continue;
        }
        for (int64_t row = pixels.top; row < pixels.bottom; ++row) {
          run_anywhere(parts[p], image, row, pixels.left, pixels.right, lists + slot * taps);
        }
      }
    }
    end_far();
  });
}

}  // namespace receptive::RECEPTIVE_ISA
