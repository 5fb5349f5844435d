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

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kRowsGrain = 1 << 17;  // multiply-adds worth a chunk
constexpr int64_t kFewChunks = 4;
constexpr int kPixels = 4;
constexpr int kMostTapRows = kSmall ? 2 : 8;

// Rows of KW taps whose sums fit the registers, with the gradients and an input.
constexpr int tap_rows(int kw) {
  const int fit = (Vec::registers - kPixels - 2) / kw;
  return fit < 1 ? 1 : fit > kMostTapRows || kw == 1 ? kMostTapRows : fit < kw ? fit : kw;
}

// Part of an output row, and what it sees of the input: column i of it begins at cells[i], in the first row of taps inside the image, or is
// a line of zeros, which moves[i] keeps where it is: -1, or 0 for that line.
struct Line {
  const float* const* cells;
  const int64_t* moves;
  int64_t row;   // floats from a row of taps to the next
  int64_t rows;  // of taps, those inside
  int64_t pixels, channels;
  // What the line that is next will be the first to see, if that is far: so many columns in each of so many rows.
  const float* next = nullptr;
  int64_t next_cols = 0, next_rows = 0, next_row = 0;

  // Asks for the part of that which goes with a vector of channels from c on and `count` columns from `first` on.
  void ask(int64_t c, int64_t first, int64_t count) const {
    const int64_t n = smaller(count, next_cols - first) * Vec::width;
    for (int64_t r = 0; r < next_rows; ++r) ask_for(next + r * next_row + c * next_cols + first * Vec::width, n);
  }
};

// Memory for what lines see.
struct Room {
  const float** cells;
  int64_t* moves;
  Room at(int64_t i) const { return {cells + i, moves + i}; }
};
RECEPTIVE_INLINE Room room_for(int64_t columns, Context& context) {
  const size_t n = static_cast<size_t>(columns);
  return {static_cast<const float**>(context.scratch(n * sizeof(const float*))),
          static_cast<int64_t*>(context.scratch(n * sizeof(int64_t)))};
}

// Columns that so many neighbouring pixels see.
RECEPTIVE_INLINE int64_t seen_by(int64_t pixels, const Axis& cols) { return (pixels - 1) * cols.stride + cols.taps; }

// Whether columns of taps can be taken together: KW of them beside each other, the pixels S columns apart. Each KW and S is code of its
// own: groups of some channels have it for 3, which is what they come with, and 7 for a stride of 1.
RECEPTIVE_INLINE bool beside(const Axis& cols, int64_t group) {
  if (kSmall || cols.dilation != 1 || cols.stride > 2) return false;
  return cols.taps == 3 || (group == 1 && (cols.taps == 5 || (cols.taps == 7 && cols.stride == 1)));
}

// The line of output pixels [first, last) of a row of which `down` is inside: `width` columns from that of tap `tap` on, `step` apart, of
// which the pixels see the first `seen`; the others are zeros, whatever lies there.
RECEPTIVE_INLINE Line line_of(const Source& source, const Room& room, const float* zeros, int64_t image, int64_t row, const Inside& down,
                              int64_t first, int64_t last, int64_t width, int64_t seen, int64_t tap, int64_t step) {
  const Axis &rows = source.rows, &cols = source.cols;
  const int64_t channels = source.channels, apart = cols.in * channels;
  const float* const x = source.data + (image * rows.in + row * rows.stride + rows.origin + down.first * rows.dilation) * apart;
  const int64_t left = first * cols.stride + tap * cols.dilation + cols.origin;
  for (int64_t j = 0; j < width; ++j) {
    const int64_t col = left + j * step;
    const bool there = j < seen && col >= 0 && col < cols.in;
    room.cells[j] = there ? x + col * channels : zeros;
    room.moves[j] = there ? -1 : 0;
  }
  return {room.cells, room.moves, rows.dilation * apart, down.last - down.first, last - first, channels};
}

// The gradients of a line, and where the sums of taps lie.
struct Gradients {
  const float* g;
  int64_t tap_row, tap;  // floats from the sums of a row of taps to the next, and of a tap
  int64_t group;         // channels of one
  const GroupOrder& order;
  bool far;
};

// Adds to the sums of `rows` rows of KW taps, at `sums`, those of channels [c, c + lanes); cells[0..) begin at row `skip` of those inside.
template <int KW, int S, bool kGrouped, bool kTail>
RECEPTIVE_INLINE void line_block(const Line& line, const Gradients& from, const Order& order, int rows, int64_t skip, int64_t c, int lanes,
                                 float* sums) {
  constexpr int kRows = tap_rows(KW);
  const auto read = [&](const float* p) { return kTail ? load(p, lanes) : load(p); };
  Vec acc[kRows][KW];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int k = 0; k < KW; ++k) acc[r][k] = r < rows ? read(sums + r * from.tap_row + k * from.tap + c) : zero();
  }
  for (int64_t first = 0; first < line.pixels; first += kPixels) {
    Vec g[kPixels];
#pragma GCC unroll 4
    for (int m = 0; m < kPixels; ++m) g[m] = first + m < line.pixels ? read(from.g + (first + m) * line.channels + c) : zero();
    const float* const* cells = line.cells + first * S;
    const int64_t* moves = line.moves + first * S;
    if (skip == 0) line.ask(c, first * S, kPixels * S);
    if (from.far && skip == 0) ask_for(from.g + line.pixels * (line.channels + c) + first * Vec::width, kPixels * Vec::width);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      if (r >= rows) break;
      const int64_t offset = (skip + r) * line.row;
#pragma GCC unroll 16
      for (int p = 0; p < (kPixels - 1) * S + KW; ++p) {
        Vec x = read(cells[p] + (offset & moves[p]) + c);
        if (kGrouped) x = permute(x, order);
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
      float* const to = sums + r * from.tap_row + k * from.tap + c;
      kTail ? store(to, acc[r][k], lanes) : store(to, acc[r][k]);
    }
  }
}

// The same for all channels, and for all rows of taps inside, as many at once as fit; for each input channel of a group.
template <int KW, int S, bool kGrouped>
static void line_sums(const Line& line, const Gradients& from, float* sums) {
  for (int64_t skip = 0; skip < line.rows; skip += tap_rows(KW)) {
    const int rows = static_cast<int>(smaller<int64_t>(tap_rows(KW), line.rows - skip));
    for (int64_t c = 0; c < line.channels; c += Vec::width) {
      const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, line.channels - c));
      for (int64_t g = 0; g < (kGrouped ? from.group : 1); ++g) {
        const Order order = order_of(from.order.lane, static_cast<int>(g));
        float* const to = sums + skip * from.tap_row + g * line.channels;
        if (lanes == Vec::width) {
          line_block<KW, S, kGrouped, false>(line, from, order, rows, skip, c, lanes, to);
        } else {
          line_block<KW, S, kGrouped, true>(line, from, order, rows, skip, c, lanes, to);
        }
      }
    }
  }
}

using LineKernel = void (*)(const Line&, const Gradients&, float*);

// How many columns of taps are taken at a time.
struct Columns {
  int64_t together;
  LineKernel kernel;
};
static Columns columns_for(const Axis& cols, int64_t group) {
  if (!beside(cols, group)) return {1, group > 1 ? line_sums<1, 1, !kSmall> : line_sums<1, 1, false>};
  if (group > 1) return {3, cols.stride == 1 ? line_sums<3, 1, true> : line_sums<3, 2, true>};
  if (cols.taps == 7) return {7, line_sums<7, 1, false>};
  static constexpr LineKernel kernels[2][2] = {{line_sums<3, 1, false>, line_sums<3, 2, false>},
                                               {line_sums<5, 1, false>, line_sums<5, 2, false>}};
  return {cols.taps, kernels[(cols.taps - 3) / 2][cols.stride - 1]};
}

void depthwise_backward_weight(const Conv2dBackwardWeightArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  const Source source = {a.x, s.N, s.C, s.C, {s.OH, s.H, s.sh, s.kh, s.dh, -s.top}, {s.OW, s.W, s.sw, s.kw, s.dw, -s.left}};
  const int64_t group = s.C / s.groups;
  const Columns columns = columns_for(source.cols, group);
  const GroupOrder order(group);
  const int64_t C = s.C, tap_size = group * C, size = s.kh * s.kw * tap_size, lines = s.N * s.OH;
  int64_t chunks = larger<int64_t>(1, smaller(smaller(lines, kMostParts), lines * s.OW * size / kRowsGrain));
  if (chunks > kFewChunks) chunks -= chunks % kFewChunks;  // five on two threads take as long as six
  const int64_t slots = chunks == 1 ? 1 : context.threads();
  const int64_t whole = (s.OW + kPixels - 1) / kPixels * kPixels, width = columns.together == 1 ? whole : seen_by(whole, source.cols);
  const int64_t seen = columns.together == 1 ? s.OW : seen_by(s.OW, source.cols);
  const Room rooms = room_for(slots * width, context);
  const auto floats = [&](int64_t n) { return static_cast<float*>(context.scratch(static_cast<size_t>(n) * sizeof(float))); };
  float* const parts = chunks == 1 ? a.dw : floats(chunks * size);
  float* const zeros = floats(C);
  memset(zeros, 0, static_cast<size_t>(C) * sizeof(float));
  const bool far_x = source.is_far(), far_g = is_read_far(lines * s.OW * C);

  context.parallel(chunks, [&](int64_t chunk, int slot) {
    float* const sums = parts + chunk * size;
    memset(sums, 0, static_cast<size_t>(size) * sizeof(float));
    for (int64_t i = chunk * lines / chunks; i < (chunk + 1) * lines / chunks; ++i) {
      const Inside down = inside(source.rows, i % s.OH);
      if (down.first == down.last) continue;
      const int64_t below = i % s.OH * s.sh - s.top + (down.last - 1) * s.dh + 1;
      for (int64_t tap = 0; tap < s.kw; tap += columns.together) {
        const int64_t step = columns.together == 1 ? s.sw : 1;
        Line line = line_of(source, rooms.at(slot * width), zeros, i / s.OH, i % s.OH, down, 0, s.OW, width, seen, tap, step);
        if (far_x && tap == 0) {
          line.next = a.x + (i / s.OH * s.H + below) * s.W * C;
          line.next_cols = s.W, line.next_rows = smaller(s.sh, s.H - below), line.next_row = s.W * C;
        }
        columns.kernel(line, {a.g + i * s.OW * C, s.kw * tap_size, tap_size, group, order, far_g},
                       sums + (down.first * s.kw + tap) * tap_size);
      }
    }
  });
  if (chunks > 1) sum_parts(parts, chunks, size, a.dw, context);
}

}  // namespace receptive::RECEPTIVE_ISA
