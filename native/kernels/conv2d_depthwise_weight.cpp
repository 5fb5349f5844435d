// The gradient of the weights of a depthwise convolution.
//
//   for each chunk of output rows, for each of them
//     for each vector of channels                  its sums of all taps, or of some rows of them, in registers along the row
//       for each tile of kPixels pixels            their gradients in registers
//         for each row of taps, for each column    an input is loaded once for all the taps and pixels of the tile that it meets
//
// Each chunk has its own sums; they are added in order, so the result does not depend on the number of threads.
#include "conv2d_depthwise.h"
#include "conv2d_parts.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kRowsGrain = 1 << 17;  // multiply-adds worth a chunk
constexpr int kPixels = 4;
constexpr int kMostTapRows = 8;

// Rows of KW taps whose sums fit the registers, with the gradients and an input.
constexpr int tap_rows(int kw) {
  const int fit = (Vec::registers - kPixels - 2) / kw;
  return fit < 1 ? 1 : fit > kMostTapRows || kw == 1 ? kMostTapRows : fit < kw ? fit : kw;
}

// An output row, and what it sees of the input: column i of it begins at cells[i], in the first row of taps inside the image, or is a line
// of zeros, which moves[i] keeps where it is: -1, or 0 for that line.
struct Line {
  const float* const* cells;
  const int64_t* moves;
  int64_t row;  // floats from a row of taps to the next
  const float* g;
  int64_t pixels, channels;
  int64_t tap_row;  // floats from the sums of a row of taps to the next
  // The row below, if that is far: so many floats in each of so many rows of x, and of g.
  const float* next_x;
  int64_t next_rows, next_row, next_floats, next_g_floats;
};

// Adds to the sums of `rows` rows of KW taps, at `sums`, those of channels [c, c + lanes); cells[0..) begin at row `skip` of those inside.
template <int KW, int S, bool kTail>
RECEPTIVE_INLINE void line_block(const Line& line, int rows, int64_t skip, int64_t c, int lanes, float* sums) {
  constexpr int kRows = tap_rows(KW);
  const auto read = [&](const float* p) { return kTail ? load(p, lanes) : load(p); };
  Vec acc[kRows][KW];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int k = 0; k < KW; ++k) acc[r][k] = r < rows ? read(sums + r * line.tap_row + k * line.channels + c) : zero();
  }
  for (int64_t first = 0; first < line.pixels; first += kPixels) {
    Vec g[kPixels];
#pragma GCC unroll 4
    for (int m = 0; m < kPixels; ++m) g[m] = first + m < line.pixels ? read(line.g + (first + m) * line.channels + c) : zero();
    const float* const* cells = line.cells + first * S;
    const int64_t* moves = line.moves + first * S;
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      if (r >= rows) break;
      const int64_t offset = (skip + r) * line.row;
#pragma GCC unroll 16
      for (int p = 0; p < (kPixels - 1) * S + KW; ++p) {
        const Vec x = read(cells[p] + (offset & moves[p]) + c);
#pragma GCC unroll 8
        for (int k = 0; k < KW; ++k) {
          if (p >= k && (p - k) % S == 0 && (p - k) / S < kPixels) acc[r][k] = fma(x, g[(p - k) / S], acc[r][k]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    if (r >= rows) break;
#pragma GCC unroll 8
    for (int k = 0; k < KW; ++k) {
      float* const to = sums + r * line.tap_row + k * line.channels + c;
      kTail ? store(to, acc[r][k], lanes) : store(to, acc[r][k]);
    }
  }
}

// The same for all channels, and for `count` rows of taps, as many at once as fit.
template <int KW, int S>
void line_sums(const Line& line, int64_t count, float* sums) {
  const int64_t share = line.next_floats * Vec::width / line.channels, g_share = line.next_g_floats * Vec::width / line.channels;
  const float *next = line.next_x, *next_g = line.g + line.pixels * line.channels;
  for (int64_t skip = 0; skip < count; skip += tap_rows(KW)) {
    const int rows = static_cast<int>(smaller<int64_t>(tap_rows(KW), count - skip));
    float* const to = sums + skip * line.tap_row;
    int64_t c = 0;
    for (; c + Vec::width <= line.channels; c += Vec::width) {
      if (skip == 0) {
        for (int64_t r = 0; r < line.next_rows; ++r) ask_for(next + r * line.next_row, share);
        ask_for(next_g, g_share);
        next += share, next_g += g_share;
      }
      line_block<KW, S, false>(line, rows, skip, c, Vec::width, to);
    }
    if (c < line.channels) line_block<KW, S, true>(line, rows, skip, c, static_cast<int>(line.channels - c), to);
  }
}

using LineKernel = void (*)(const Line&, int64_t, float*);

// How the columns of taps are taken: KW at a time, S columns of the line from a pixel to the next.
struct Columns {
  int64_t together, stride;
  LineKernel kernel;
};
static Columns columns_for(const Axis& cols) {
  static constexpr LineKernel kernels[3][2] = {
      {line_sums<3, 1>, line_sums<3, 2>}, {line_sums<5, 1>, line_sums<5, 2>}, {line_sums<7, 1>, line_sums<7, 2>}};
  const bool beside = cols.dilation == 1 && cols.stride <= 2 && (cols.taps == 3 || cols.taps == 5 || cols.taps == 7);
  if (beside) return {cols.taps, cols.stride, kernels[(cols.taps - 3) / 2][cols.stride - 1]};
  return {1, 1, line_sums<1, 1>};
}

void depthwise_backward_weight(const Conv2dBackwardWeightArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  if (s.OH == 0 || s.OW == 0) {
    memset(a.dw, 0, static_cast<size_t>(s.kh * s.kw * s.C) * sizeof(float));
    return;
  }
  const Axis rows = {s.OH, s.H, s.sh, s.kh, s.dh, -s.top}, cols = {s.OW, s.W, s.sw, s.kw, s.dw, -s.left};
  const Columns columns = columns_for(cols);
  const int64_t C = s.C, size = s.kh * s.kw * C, lines = s.N * s.OH;
  const int64_t chunks = larger<int64_t>(1, smaller(smaller(lines, kMostParts), lines * s.OW * size / kRowsGrain));
  const int64_t slots = chunks == 1 ? 1 : context.threads();
  const int64_t width = ((s.OW + kPixels - 1) / kPixels * kPixels - 1) * columns.stride + columns.together;  // cells of a line
  const auto scratch = [&](int64_t n, size_t each) { return context.scratch(static_cast<size_t>(n) * each); };
  const float** cells = static_cast<const float**>(scratch(slots * width, sizeof(const float*)));
  int64_t* moves = static_cast<int64_t*>(scratch(slots * width, sizeof(int64_t)));
  float* parts = chunks == 1 ? a.dw : static_cast<float*>(scratch(chunks * size, sizeof(float)));
  float* zeros = static_cast<float*>(scratch(C, sizeof(float)));
  memset(zeros, 0, static_cast<size_t>(C) * sizeof(float));
  const bool far_x = is_read_far(s.N * s.H * s.W * C), far_g = is_read_far(lines * s.OW * C);

  context.parallel(chunks, [&](int64_t chunk, int slot) {
    float* const sums = parts + chunk * size;
    memset(sums, 0, static_cast<size_t>(size) * sizeof(float));
    for (int64_t i = chunk * lines / chunks; i < (chunk + 1) * lines / chunks; ++i) {
      const Inside down = inside(rows, i % s.OH);
      const int64_t h = i % s.OH * s.sh - s.top + down.first * s.dh, last = h + (down.last - down.first - 1) * s.dh;
      if (down.first == down.last) continue;
      const float* const x = a.x + (i / s.OH * s.H + h) * s.W * C;
      Line line = {
          cells + slot * width, moves + slot * width, s.dh * s.W * C, a.g + i * s.OW * C, s.OW, C, s.kw * C, nullptr, 0, s.W * C, 0,
          far_g ? s.OW * C : 0};
      if (far_x) {
        line.next_x = a.x + (i / s.OH * s.H + last + 1) * s.W * C;
        line.next_rows = smaller(s.sh, s.H - 1 - last), line.next_floats = s.W * C;
      }
      for (int64_t tap = 0; tap < s.kw; tap += columns.together) {
        for (int64_t j = 0; j < width; ++j) {
          const int64_t w = columns.together > 1 ? j - s.left : j * s.sw + tap * s.dw - s.left;
          const bool there = w >= 0 && w < s.W;
          cells[slot * width + j] = there ? x + w * C : zeros;
          moves[slot * width + j] = there ? -1 : 0;
        }
        columns.kernel(line, down.last - down.first, sums + (down.first * s.kw + tap) * C);
      }
    }
  });
  if (chunks > 1) sum_parts(parts, chunks, size, a.dw, context);
}

}  // namespace receptive::RECEPTIVE_ISA
