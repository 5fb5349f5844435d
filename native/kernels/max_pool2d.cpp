// Max pooling, a vector of channels at a time: the maximum and where it lies, a number that a float holds exactly, are kept in registers
// over the window.
#include "../ops/max_pool2d.h"

#include <math.h>

#include "windows.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kManyImages = 8;
constexpr int64_t kBandFloats = 2 * kElementGrain;  // of the gradient's rows in a chunk: windows at its ends are seen twice

void max_pool2d(const MaxPool2dArgs<float>&, Context&);
void max_pool2d_backward(const MaxPool2dBackwardArgs<float>&, Context&);

// Both operands' maximum, NaN where one of them is.
RECEPTIVE_INLINE Vec either_max(Vec a, Vec b) { return select(b == b, max(b, a), b); }  // in this order: a, if it is NaN or equal

// The maximum of rows x columns cells, at least one, and its place, that of the first being `place`. kTaps: how many rows and columns there
// are, 0 where that is not known.
template <int kTaps>
RECEPTIVE_INLINE void largest(const Windows& w, const float* x, int64_t rows, int64_t columns, float place, int lanes, Vec* best,
                              Vec* where) {
  if (kTaps != 0) rows = columns = kTaps;
  const int64_t down = w.dh * w.W * w.C, right = w.dw * w.C;
  *best = load_some(x, lanes);
  *where = broadcast(place);
#pragma GCC unroll 2
  for (int64_t a = 0; a < rows; ++a, x += down, place += static_cast<float>(w.kw)) {
#pragma GCC unroll 2
    for (int64_t b = 0; b < columns; ++b) {
      if (kTaps != 0 && a + b == 0) continue;  // else the first once more: it is not greater than itself
      const Vec v = load_some(x + b * right, lanes), here = broadcast(place + static_cast<float>(b));
      const Mask greater = v > *best, number = v == v;
      *where = select(number, select(greater, here, *where), here);
      *best = select(number, select(greater, v, *best), v);
    }
  }
}

// The maximum of each window of a row of the output, and its place.
RECEPTIVE_INLINE void max_pool_row(const MaxPool2dArgs<float>& args, int64_t n, int64_t i) {
  const Windows w = args.w;  // of its own: nothing that is stored can be part of it
  const Taps rows = row_taps(w, i);
  const int64_t row = (n * w.OH + i) * w.OW * w.C, end = row + w.OW * w.C;
  const float* const image_row = args.x + (n * w.H + rows.first) * w.W * w.C;
  float* const y = args.y;
  uint8_t* const narrow = args.argmax.narrow;
  int32_t* const wide = args.argmax.wide;
  const Vec low = broadcast(static_cast<float>(args.clip.low)), high = broadcast(static_cast<float>(args.clip.high));
  for (int64_t j = 0, out = row; j < w.OW; ++j, out += w.C) {
    const Taps columns = column_taps(w, j);
    const float place = static_cast<float>(rows.begin * w.kw + columns.begin);
    for (int64_t c = 0; c < w.C; c += Vec::width) {
      const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, w.C - c));
      const float* const x = image_row + columns.first * w.C + c;
      Vec best = broadcast(-INFINITY), where = zero();
      if (rows.count == 2 && columns.count == 2) {
        largest<2>(w, x, 2, 2, place, lanes, &best, &where);
      } else if (rows.count > 0 && columns.count > 0) {
        largest<0>(w, x, rows.count, columns.count, place, lanes, &best, &where);
      }
      const int some = lanes_of(lanes, end - out - c);
      store_some(y + out + c, min(high, max(low, best)), some);  // in this order NaN passes through
      if (narrow) store_u8(narrow + out + c, where, some);
      if (wide) store_i32(wide + out + c, where, some);
    }
  }
}

// The maxima alone: of whole rows first, into a line, whose length is padded to whole vectors.
RECEPTIVE_INLINE void max_pool_row(const MaxPool2dArgs<float>& args, int64_t n, int64_t i, float* line) {
  const Windows& w = args.w;
  const Taps rows = row_taps(w, i);
  const int64_t width = w.W * w.C, apart = w.dh * width;
  const float* x = args.x + (n * w.H + rows.first) * width;
  for (int64_t at = 0; at < width; at += Vec::width) {
    const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, width - at));
    Vec best = rows.count == 0 ? broadcast(-INFINITY) : load_some(x + at, lanes);
    for (int64_t a = 1; a < rows.count; ++a) best = either_max(best, load_some(x + a * apart + at, lanes));
    store(line + at, best);
  }
  float* y = args.y + (n * w.OH + i) * w.OW * w.C;
  const int64_t end = w.OW * w.C, step = w.dw * w.C;
  const Vec low = broadcast(static_cast<float>(args.clip.low)), high = broadcast(static_cast<float>(args.clip.high));
  for (int64_t j = 0; j < w.OW; ++j) {
    const Taps columns = column_taps(w, j);
    const float* from = line + columns.first * w.C;
    for (int64_t c = 0; c < w.C; c += Vec::width) {
      Vec best = columns.count == 0 ? broadcast(-INFINITY) : load(from + c);
      for (int64_t b = 1; b < columns.count; ++b) best = either_max(best, load(from + b * step + c));
      const int64_t at = j * w.C + c;
      store_some(y + at, min(high, max(low, best)), lanes_of(w.C - c, end - at));
    }
  }
}

void max_pool2d(const MaxPool2dArgs<float>& args, Context& context) {
  const Windows& w = args.w;
  if (args.argmax.narrow || args.argmax.wide || w.OW * w.kw < w.W) {
    return each_output_row(w, context, [&](int64_t n, int64_t i, int) { max_pool_row(args, n, i); });
  }
  const int64_t line = w.W * w.C + 2 * Vec::width;
  float* lines = static_cast<float*>(context.scratch(static_cast<size_t>(context.threads() * line) * sizeof(float)));
  each_output_row(w, context, [&](int64_t n, int64_t i, int slot) { max_pool_row(args, n, i, lines + slot * line); });
}

// A vector along a row of an image that windows share out: the gradients its lanes take, from `base` on along a row of these, and which
// column of its window each lane is.
struct Spread {
  int64_t base;
  int32_t order[16];
  float column[16];
};

// Fills in those of a row; false where one would take more than a vector of gradients.
static bool spread_rows(const Windows& w, int64_t vectors, Spread* spreads) {
  for (int64_t v = 0; v < vectors; ++v) {
    int64_t from[16], least = INT64_MAX, most = 0;
    for (int64_t lane = 0; lane < Vec::width; ++lane) {
      const int64_t at = smaller(v * Vec::width + lane, w.W * w.C - 1), pixel = at / w.C;
      from[lane] = pixel / w.kw * w.C + at % w.C;
      least = smaller(least, from[lane]), most = larger(most, from[lane]);
      spreads[v].column[lane] = static_cast<float>(pixel % w.kw);
    }
    if (most - least >= Vec::width) return false;
    spreads[v].base = least;
    for (int64_t lane = 0; lane < Vec::width; ++lane) spreads[v].order[lane] = static_cast<int32_t>(from[lane] - least);
  }
  return true;
}

// The gradients of rows [first, end) of image n, whole windows, where windows share out its rows, a vector of a row at a time.
static void spread_band(const MaxPool2dBackwardArgs<float>& args, int64_t n, int64_t first, int64_t end, int64_t vectors,
                        const Spread* spreads) {
  const Windows w = args.w;
  const int64_t width = w.W * w.C, all = w.N * w.OH * w.OW * w.C;
  for (int64_t i = first / w.kh; i * w.kh < end; ++i) {
    const int64_t row = (n * w.OH + i) * w.OW * w.C, rows = smaller(w.kh, w.H - i * w.kh);
    float* const dx = args.dx + (n * w.H + i * w.kh) * width;
    for (int64_t v = 0; v < vectors; ++v) {
      const int64_t from = row + spreads[v].base, at = v * Vec::width;
      const int there = static_cast<int>(smaller<int64_t>(Vec::width, all - from));
      const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, width - at));
      const Order order = order_of(spreads[v].order, 0);
      const Vec g = permute(load_some(args.g + from, there), order), where = permute(load_some(args.argmax.narrow + from, there), order);
      const Vec column = load(spreads[v].column);
      for (int64_t a = 0; a < rows; ++a) {
        const Mask named = where == column + broadcast(static_cast<float>(a * w.kw));
        store_some(dx + a * width + at, select(named, g, zero()), lanes);
      }
    }
  }
}

// The rows of windows that reach rows [first, end) of the image: a run of them.
struct Reaching {
  int64_t first, end;
};
static Reaching reaching(const Windows& w, int64_t first, int64_t end) {
  if (w.adaptive) return {first * w.OH / w.H, (end * w.OH + w.H - 1) / w.H};
  const int64_t over = first + w.top - w.dh * (w.kh - 1);
  return {over > 0 ? (over + w.sh - 1) / w.sh : 0, smaller(w.OH, (end + w.top + w.sh - 1) / w.sh)};
}

// Each cell of a window takes the gradients whose argmax names it: nothing is addressed by data. Bands of image rows are made at once; each
// takes of the windows that reach it what is its own, from the first to the last.
void max_pool2d_backward(const MaxPool2dBackwardArgs<float>& args, Context& context) {
  const Windows w = args.w;  // as above
  const int64_t width = w.W * w.C, down = w.dh * width, right = w.dw * w.C;
  // Windows that do not overlap need not add; where they cover the image, nothing is left to be cleared.
  const bool apart = !w.adaptive && w.sh >= w.kh && w.sw >= w.kw && w.dh == 1 && w.dw == 1;
  const bool covered = apart && w.top == 0 && w.left == 0 && w.sh == w.kh && w.sw == w.kw && w.OH * w.kh >= w.H && w.OW * w.kw >= w.W;
  const bool onward = covered && w.C <= Vec::width;  // a vector may go on into the cell beside it, which is written next
  const int64_t vectors = covered && w.C < Vec::width ? (width + Vec::width - 1) / Vec::width : 0;
  Spread* const spreads = static_cast<Spread*>(context.scratch(static_cast<size_t>(vectors) * sizeof(Spread)));
  const bool spread = vectors > 0 && spread_rows(w, vectors, spreads);
  const auto window_row = [&](int64_t n, int64_t i, int64_t first_row, int64_t end_row) {
    const Taps rows = row_taps(w, i);
    const int64_t before = rows.first < first_row ? (first_row - rows.first + w.dh - 1) / w.dh : 0;
    const int64_t taps = smaller(rows.count, (end_row - rows.first + w.dh - 1) / w.dh);
    if (before >= taps) return;
    const int64_t row = (n * w.OH + i) * w.OW * w.C;
    float* const image_row = args.dx + (n * w.H + rows.first + before * w.dh) * width;
    for (int64_t j = 0, out = row; j < w.OW; ++j, out += w.C) {
      const Taps columns = column_taps(w, j);
      for (int64_t c = 0; c < w.C; c += Vec::width) {
        const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, w.C - c));
        const Vec g = load_some(args.g + out + c, lanes), where = load_some(args.argmax.narrow + out + c, lanes);
        const int some = onward && (w.W - columns.first - columns.count + 1) * w.C >= Vec::width ? Vec::width : lanes;
        float* dx = image_row + columns.first * w.C + c;
        float first = static_cast<float>((rows.begin + before) * w.kw + columns.begin);
        for (int64_t a = before; a < taps; ++a, dx += down, first += static_cast<float>(w.kw)) {
          float* cell = dx;
          float tap = first;
          for (int64_t b = 0; b < columns.count; ++b, cell += right, tap += 1) {
            const Vec taken = select(where == broadcast(tap), g, zero());
            apart ? store_some(cell, taken, some) : store_some(cell, load_some(cell, lanes) + taken, lanes);
          }
        }
      }
    }
  };
  const auto band = [&](int64_t n, int64_t first, int64_t end) {
    if (spread) return spread_band(args, n, first, end, vectors, spreads);
    if (!covered) memset(args.dx + (n * w.H + first) * width, 0, static_cast<size_t>((end - first) * width) * sizeof(float));
    const Reaching windows = reaching(w, first, end);
    for (int64_t i = windows.first; i < windows.end; ++i) window_row(n, i, first, end);
  };
  // Of many images each is a band. Else bands of whole strides: where windows do not overlap, none is in two.
  const int64_t tall = w.N >= kManyImages ? w.H : w.adaptive ? 1 : smaller(w.sh, w.H), bands = (w.H + tall - 1) / tall;
  split(context, w.N * bands, kBandFloats / larger<int64_t>(smaller(tall, kBandFloats) * width, 1), 1,
        [&](int64_t begin, int64_t end, int) {
          for (int64_t unit = begin; unit < end;) {  // those of an image at once
            const int64_t n = unit / bands, first = unit % bands, last = smaller(bands, first + end - unit);
            band(n, first * tall, smaller(last * tall, w.H));
            unit += last - first;
          }
        });
}

}  // namespace receptive::RECEPTIVE_ISA
