// Depthwise convolution.
//
//   for each chunk of rows, or pieces of long ones, or of some channels of few, for each line of output pixels in one
//     3, 5 or 7 taps beside each other and a stride of 1 or 2:
//       for each vector of channels, for each tile of MR pixels    what the line sees stays in L1
//         acc[MR] in registers: each input is loaded once for all the taps that see it
//     any others:
//       for each tile of MR pixels that see all columns of taps, or one that does not
//         for each NR vectors of channels
//           acc[MR][NR] in registers over the taps inside the image
#include "conv2d_depthwise.h"

#include "far.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kDepthwiseGrain = 1 << 15;  // multiply-adds worth a chunk
constexpr int64_t kPiece = 56;                // pixels of a row at once: whole tiles of any width
constexpr int64_t kLeastVectors = 4;          // of channels, which lie beside each other
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

constexpr int64_t kBeyondL2 = 1 << 18;              // floats
constexpr int kMostSliding = 8, kLeastSliding = 4;  // pixels of a tile

// What becomes of a line.
struct Sliding {
  const float* w;  // of the first row of taps inside
  int64_t w_row, w_col, w_channel, group;
  const GroupOrder& order;
  const float* bias;  // or null
  float* y;
  int64_t pixel;  // floats from a pixel's y to the next
  const Finish* finish;
  bool far;
};

template <int KW, int S, int MR, bool kGrouped, bool kTail>
RECEPTIVE_INLINE void slide_block(const Line& line, const Sliding& to, int64_t c, int lanes) {
  const auto read = [&](const float* p) { return kTail ? load(p, lanes) : load(p); };
  const Vec start = to.bias ? read(to.bias + c) : zero();
  const int64_t pixel = to.pixel;
  const bool far = to.far;
  for (int64_t first = 0; first < line.pixels; first += MR) {
    line.ask(c, first * S, MR * S);
    Vec acc[MR];
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) acc[m] = start;
    const float* const* cells = line.cells + first * S;
    for (int64_t r = 0; r < line.rows; ++r, cells += line.width) {
      for (int64_t g = 0; g < (kGrouped ? to.group : 1); ++g) {
        const Order order = order_of(to.order.lane, static_cast<int>(g));
        Vec w[KW];
#pragma GCC unroll 8
        for (int k = 0; k < KW; ++k) w[k] = read(to.w + r * to.w_row + k * to.w_col + g * to.w_channel + c);
#pragma GCC unroll 32
        for (int p = 0; p < (MR - 1) * S + KW; ++p) {
          Vec x = read(cells[p] + c);
          if (kGrouped) x = permute(x, order);
#pragma GCC unroll 8
          for (int k = 0; k < KW; ++k) {
            if (p >= k && (p - k) % S == 0 && (p - k) / S < MR) acc[(p - k) / S] = fma(x, w[k], acc[(p - k) / S]);
          }
        }
      }
    }
    const int count = static_cast<int>(smaller<int64_t>(MR, line.pixels - first));
    float* const y = to.y + first * pixel + c;
    if (count < MR || (to.finish && to.finish->add) || (kTail && !Vec::masks)) {
      RowsTile there;
      float sums[MR * Vec::width];
#pragma GCC unroll 1
      for (int m = 0; m < count; ++m) there.y[m] = y + m * pixel;
#pragma GCC unroll 8
      for (int m = 0; m < MR; ++m) store(sums + m * Vec::width, acc[m]);
      store_sums<1>(there, count, to.finish, false, far, lanes, sums);
      continue;
    }
    if (to.finish) {
      const Vec low = broadcast(static_cast<float>(to.finish->clip.low)), high = broadcast(static_cast<float>(to.finish->clip.high));
#pragma GCC unroll 8
      for (int m = 0; m < MR; ++m) acc[m] = min(high, max(low, acc[m]));
    }
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) {
      far ? store_far(y + m * pixel, acc[m]) : store_some(y + m * pixel, acc[m], kTail ? lanes : Vec::width);
    }
  }
}

// The channels from c on that do not fill a vector: whatever the tile, by small ones.
template <int KW, int S, bool kGrouped>
static void slide_tail(const Line& line, const Sliding& to, int64_t c) {
  slide_block<KW, S, kLeastSliding, kGrouped, true>(line, to, c, lanes_of(line.channels - c));
}

template <int KW, int S, int MR, bool kGrouped>
static void slide_line(const Line& line, const Sliding& to) {
  int64_t c = 0;
  for (; c + Vec::width <= line.channels; c += Vec::width) slide_block<KW, S, MR, kGrouped, false>(line, to, c, Vec::width);
  if (c < line.channels) slide_tail<KW, S, kGrouped>(line, to, c);
}

using SlideKernel = void (*)(const Line&, const Sliding&);

// Pixels of a tile and the function for it.
struct Slide {
  int pixels;
  SlideKernel kernel;
};

// Of tiles of 8 (of 3 taps), 7 or 4 pixels those that fill a line best: rows of 7 to 224 pixels are as common as powers of two.
template <int KW, int S, bool kGrouped>
static Slide slide_for(int64_t pixels) {
  constexpr int most = KW == 3 ? kMostSliding : 7;
  static constexpr Slide slides[] = {{most, slide_line<KW, S, most, kGrouped>},
                                     {7, slide_line<KW, S, 7, kGrouped>},
                                     {kLeastSliding, slide_line<KW, S, kLeastSliding, kGrouped>}};
  const auto cost = [&](const Slide& slide) { return (pixels + slide.pixels - 1) / slide.pixels * (slide.pixels + 1); };
  Slide best = slides[0];
  for (const Slide& slide : slides) {
    if (cost(slide) < cost(best)) best = slide;
  }
  return best;
}

static Slide slide_for(const Axis& cols, int64_t group, int64_t pixels) {
  if (group > 1) return cols.stride == 1 ? slide_for<3, 1, true>(pixels) : slide_for<3, 2, true>(pixels);
  switch (cols.taps * 2 + cols.stride) {
    case 7: return slide_for<3, 1, false>(pixels);
    case 8: return slide_for<3, 2, false>(pixels);
    case 11: return slide_for<5, 1, false>(pixels);
    case 12: return slide_for<5, 2, false>(pixels);
    default: return slide_for<7, 1, false>(pixels);
  }
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

// A run of output pixels [first, last) of one row.
struct Run {
  int64_t image, row, first, last;
  Inside down;   // the rows of taps inside
  int64_t line;  // the cell of the input where the first of them begins
  int64_t channels;
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
    taps_kernel(mr, kDepthwiseNR)(tile, {taps, count, run.channels, d.bias, d.finish, d.far()});
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

// What comes from far comes best in the order it lies in: there a line is one tile, all channels of it, and asks for what the tile beside
// it will be the first to see. Where the stride is 2 little is seen twice, and what a core's own cache does not hold is far.
static void run_sliding(const Depthwise& d, const Run& run, const GroupOrder& order, const float** cells, const float* zeros) {
  const Source& source = d.source;
  const Axis& cols = source.cols;
  const int64_t pixels = run.last - run.first;
  const Slide slide = slide_for(cols, d.group, pixels);
  const int64_t floats = source.images * source.rows.in * cols.in * source.channels;
  const bool far = source.is_far() || (cols.stride == 2 && floats >= kBeyondL2);
  for (int64_t first = run.first, last; first < run.last; first = last) {
    last = far ? smaller(run.last, first + slide.pixels) : run.last;
    const auto whole = [&](int64_t tile) { return (last - first + tile - 1) / tile * tile; };
    const int64_t width = seen_by(larger(whole(slide.pixels), whole(kLeastSliding)), cols);
    Line line = line_of(source, cells, zeros, run.image, run.row, run.down, first, last, width, width, 0, 1);
    line.channels = run.channels;
    if (far) {
      line.next_cols = slide.pixels * cols.stride, line.next_rows = smaller(source.rows.stride, line.rows), line.next_row = line.row;
      const int64_t beside = first * cols.stride + cols.origin + seen_by(slide.pixels, cols);
      line.next = source.data + (run.line + beside) * source.channels + (line.rows - line.next_rows) * line.row;
    }
    slide.kernel(line, {d.w + run.down.first * d.w_row, d.w_row, d.w_col, d.w_channel, d.group, order, d.bias, output_of(d, run, first),
                        d.y_col, d.finish, d.far()});
  }
}

// Output pixels [first, last) of a row, those of them that there are; channels [channel, end).
static void run_row(Depthwise d, int64_t image, int64_t row, int64_t first, int64_t last, int64_t channel, int64_t end,
                    const GroupOrder& order, const float** cells, Tap* taps, const float* zeros) {
  d.source.data += channel, d.w += channel, d.y += channel;
  if (d.bias) d.bias += channel;
  const Axis &rows = d.source.rows, &cols = d.source.cols;
  last = smaller(last, cols.out);
  if (row >= rows.out || first >= last) return;
  const Inside down = inside(rows, row);
  const int64_t line = (image * rows.in + row * rows.stride + down.first * rows.dilation + rows.origin) * cols.in;
  const Run run = {image, row, first, last, down, line, end - channel};
  beside(cols, d.group) ? run_sliding(d, run, order, cells, zeros) : run_anywhere(d, run, taps);
}

void depthwise(Context& context, const Depthwise* parts, int64_t count) {
  int64_t rows = 0, cols = 0, taps = 0, all_taps = 0, width = 0;
  for (int64_t p = 0; p < count; ++p) {
    const Source& source = parts[p].source;
    rows = larger(rows, source.rows.out), cols = larger(cols, source.cols.out);
    taps = larger(taps, taps_of(source)), all_taps += taps_of(source);
    if (!beside(source.cols, parts[p].group)) continue;
    width = larger(width, seen_by(smaller(source.cols.out, kPiece) + kMostSliding, source.cols) * source.rows.taps);
  }
  if (rows == 0 || cols == 0) return;
  // Whole rows, but for long ones; where these are few, some of the channels.
  const int64_t channels = parts[0].source.channels, vectors = (channels + Vec::width - 1) / Vec::width;
  const int64_t pieces = (cols + kPiece - 1) / kPiece, lines = parts[0].source.images * rows * pieces;
  const int64_t work = parts[0].source.images * rows * cols * all_taps * channels * parts[0].group;
  const int64_t grains = larger<int64_t>(work / kDepthwiseGrain, 1);
  const int64_t shares = larger<int64_t>(smaller((grains + lines - 1) / lines, vectors / kLeastVectors), 1), units = lines * shares;
  const int64_t chunks = units <= 2 * grains ? units : grains;
  const int64_t slots = chunks == 1 ? 1 : context.threads();
  Tap* lists = static_cast<Tap*>(context.scratch(static_cast<size_t>(slots * taps) * sizeof(Tap)));
  const float** const cells = static_cast<const float**>(context.scratch(static_cast<size_t>(slots * width) * sizeof(const float*)));
  const GroupOrder order(parts[0].group);
  float* zeros = static_cast<float*>(context.scratch(static_cast<size_t>(channels) * sizeof(float)));
  memset(zeros, 0, static_cast<size_t>(channels) * sizeof(float));

  context.parallel(chunks, [&](int64_t chunk, int slot) {
    for (int64_t unit = chunk * units / chunks; unit < (chunk + 1) * units / chunks; ++unit) {
      const int64_t share = unit % shares, line = unit / shares, piece = line % pieces, row = line / pieces % rows;
      const int64_t channel = share * vectors / shares * Vec::width, end = smaller((share + 1) * vectors / shares * Vec::width, channels);
      for (int64_t p = 0; p < count; ++p) {
        run_row(parts[p], line / pieces / rows, row, piece * kPiece, (piece + 1) * kPiece, channel, end, order, cells + slot * width,
                lists + slot * taps, zeros);
      }
    }
    end_far();
  });
}

}  // namespace receptive::RECEPTIVE_ISA
