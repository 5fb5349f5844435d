// The two register tiles every convolution and matrix product is made of: acc[MR rows][NR vectors], all of it in registers.
//
//   rows_tile      each row has its own pointer and its reduction runs along contiguous segments: one broadcast a row and NR weight
//                  vectors a step. Rows are output pixels (their taps are the segments) or rows of a matrix.
//   outer_tile     the rows lie beside each other and the reduction strides over pixels: a sum of outer products. Gradients of
//                  weights, and products with a transposed left operand.
//
// The right operand is in panels: [step][NR vectors], padded with zeros to whole vectors (pack_panel, pack_panel_transposed).
#pragma once

#include "../ops/clip.h"
#include "../runtime/context.h"
#include "../simd/transpose.h"
#include "../simd/vec.h"

namespace receptive::RECEPTIVE_ISA {

RECEPTIVE_NOTHROW_BEGIN

// Accumulators, NR weight vectors and one broadcast fit the register file; on SSE2 the product needs one more.
constexpr int kMaxNR = Vec::width == 16 ? 4 : Vec::registers == 32 ? 3 : 2;
constexpr int kMaxMR = kSmall ? 4 : 8;
constexpr int rows_for(int nr) {
  const int fit = (Vec::registers - nr - 2) / nr;
  return fit < kMaxMR ? fit : kMaxMR;
}

struct Segment {
  int64_t offset;  // from the row's pointer
  int64_t length;
};

struct RowsTile {
  const float* a[kMaxMR];
  float* y[kMaxMR];
};

// What becomes of a row's sums when they are complete: what lies in `add` where they lie in `y` is added, then they are clipped.
struct Finish {
  const float* y;
  const float* add;  // or null
  Clip clip;
};

struct RowsStep {
  const Segment* segments;
  int64_t count;
  const float* b;                  // panel, at the first step
  int64_t b_step;                  // floats from a step of it to the next: NR vectors where packed
  const float* bias;               // of the panel's first column, or null: what the sums start from
  bool accumulate;                 // add them to y
  int tail;                        // lanes in use of the last vector
  const Finish* finish = nullptr;  // where these are the last steps
  bool far = false;                // y is, see far.h
  // Or null: where each row lies at each segment, [count][kMaxMR], in place of the row's pointer and the segment's offset.
  const float* const* places = nullptr;
  // Or null: the panel that is next, which run_rows asks for meanwhile, from here on and so many floats further for each step of a tile.
  const float* next = nullptr;
  int64_t next_step = 0;
};

template <int NR>
RECEPTIVE_INLINE void load_row(const float* p, int tail, Vec* row) {
  for (int n = 0; n < NR - 1; ++n) row[n] = load(p + n * Vec::width);
  p += (NR - 1) * Vec::width;
  row[NR - 1] = !Vec::masks && tail == Vec::width ? load(p) : load(p, tail);  // a mask costs nothing here, and the branch room
}
template <int NR>
RECEPTIVE_INLINE void store_row(float* p, int tail, const Vec* row) {
  for (int n = 0; n < NR - 1; ++n) store(p + n * Vec::width, row[n]);
  if (tail == Vec::width) {  // a mask costs more than the branch
    store(p + (NR - 1) * Vec::width, row[NR - 1]);
  } else {
    store(p + (NR - 1) * Vec::width, row[NR - 1], tail);
  }
}

template <int NR>
RECEPTIVE_INLINE void store_row_far(float* p, const Vec* row) {
  for (int n = 0; n < NR; ++n) store_far(p + n * Vec::width, row[n]);
}

template <int NR>
RECEPTIVE_INLINE void add_row(const float* p, int tail, Vec* row) {
  Vec other[NR];
  load_row<NR>(p, tail, other);
  for (int n = 0; n < NR; ++n) row[n] = row[n] + other[n];
}

template <int MR, int NR>
RECEPTIVE_INLINE void finish_rows(const RowsTile& rows, const Finish& finish, int tail, Vec (&acc)[MR][NR]) {
  if (finish.add) {
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) add_row<NR>(finish.add + (rows.y[m] - finish.y), tail, acc[m]);
  }
  const Vec low = broadcast(static_cast<float>(finish.clip.low)), high = broadcast(static_cast<float>(finish.clip.high));
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m)
    for (int n = 0; n < NR; ++n) acc[m][n] = min(high, max(low, acc[m][n]));  // in this order NaN passes through
}

// Sums in memory, of a tile that ends within a vector or is not whole: all tiles of a width share what becomes of them.
template <int NR>
RECEPTIVE_OUTLINE RECEPTIVE_NOTHROW void store_sums(const RowsTile& rows, int mr, const Finish* finish, bool accumulate, bool far, int tail,
                                                    const float* sums) {
  for (int m = 0; m < mr; ++m) {
    Vec row[1][NR];
    for (int n = 0; n < NR; ++n) row[0][n] = load(sums + (m * NR + n) * Vec::width);
    const RowsTile one = {{nullptr}, {rows.y[m]}};
    if (accumulate) add_row<NR>(one.y[0], tail, row[0]);
    if (finish) finish_rows<1, NR>(one, *finish, tail, row);
    far ? store_row_far<NR>(one.y[0], row[0]) : store_row<NR>(one.y[0], tail, row[0]);
  }
}

// What a tile does with its sums: adds them to y if it shall, finishes them if that is given, and writes them, past the caches if y is far.
template <int MR, int NR>
RECEPTIVE_INLINE void write_tile(const RowsTile& rows, const Finish* finish, bool accumulate, bool far, int tail, Vec (&acc)[MR][NR]) {
  if (!Vec::masks && tail != Vec::width) {
    float sums[MR * NR * Vec::width];
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m)
      for (int n = 0; n < NR; ++n) store(sums + (m * NR + n) * Vec::width, acc[m][n]);
    return store_sums<NR>(rows, MR, finish, accumulate, far, tail, sums);
  }
  if (accumulate) {
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) add_row<NR>(rows.y[m], tail, acc[m]);
  }
  if (finish) finish_rows<MR, NR>(rows, *finish, tail, acc);
  if (far) {
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) store_row_far<NR>(rows.y[m], acc[m]);
    return;
  }
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) store_row<NR>(rows.y[m], tail, acc[m]);
}

template <int MR, int NR>
RECEPTIVE_NOTHROW void rows_tile(const RowsTile& rows, const RowsStep& step) {
  Vec acc[MR][NR];
  Vec start[NR];
  for (int n = 0; n < NR; ++n) start[n] = zero();
  if (step.bias) load_row<NR>(step.bias, step.tail, start);
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m)
    for (int n = 0; n < NR; ++n) acc[m][n] = start[n];
  const float* b = step.b;
  if (step.finish && step.finish->add) {  // asked for now, here when the sums are
#pragma GCC unroll 1
    for (int m = 0; m < MR; ++m)
      for (int n = 0; n < NR; ++n) prefetch(step.finish->add + (rows.y[m] - step.finish->y) + n * Vec::width);
  }
  for (int64_t s = 0; s < step.count; ++s) {
    const float* a[MR];
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) a[m] = step.places ? step.places[s * kMaxMR + m] : rows.a[m] + step.segments[s].offset;
    const int64_t length = step.segments[s].length;
    for (int64_t k = 0; k < length; ++k, b += step.b_step) {
      Vec w[NR];
#pragma GCC unroll 4
      for (int n = 0; n < NR; ++n) w[n] = load(b + n * Vec::width);
#pragma GCC unroll 8
      for (int m = 0; m < MR; ++m) {
        const Vec x = broadcast(a[m][k]);
#pragma GCC unroll 4
        for (int n = 0; n < NR; ++n) acc[m][n] = fma(x, w[n], acc[m][n]);
      }
    }
  }
  // At the end: what is added need not wait for a store that is still on its way.
  write_tile<MR, NR>(rows, step.finish, step.accumulate, step.far, step.tail, acc);
}

// Rows that lie evenly.
struct RowsRun {
  const float* a;
  int64_t a_step;  // floats from a row to the next
  float* y;
  int64_t y_step;
  int64_t count;  // of rows
};

// Its whole tiles one after the other, of a step of one segment: where that is short, calls for each tile would cost a quarter of the sums.
template <int MR, int NR>
RECEPTIVE_NOTHROW void rows_run(const RowsRun& run, const RowsStep& step) {
  const float* a = run.a + step.segments[0].offset;
  float* y = run.y;
  const int64_t length = step.segments[0].length, a_step = run.a_step, y_step = run.y_step, b_step = step.b_step;
  const float* ask = step.next ? step.next : step.b;
  const int64_t ask_step = step.next ? step.next_step : 0;
  Vec start[NR];
  for (int n = 0; n < NR; ++n) start[n] = zero();
  if (step.bias) load_row<NR>(step.bias, step.tail, start);
  for (int64_t t = run.count / MR; t > 0; --t, a += MR * a_step, y += MR * y_step) {
    RowsTile rows;
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m) rows.y[m] = y + m * y_step;
    Vec acc[MR][NR];
#pragma GCC unroll 8
    for (int m = 0; m < MR; ++m)
      for (int n = 0; n < NR; ++n) acc[m][n] = start[n];
    const float* b = step.b;
    for (int64_t k = 0; k < length; ++k, b += b_step) {
      if (NR == kMaxNR) prefetch(ask), ask += ask_step;
      Vec w[NR];
#pragma GCC unroll 4
      for (int n = 0; n < NR; ++n) w[n] = load(b + n * Vec::width);
#pragma GCC unroll 8
      for (int m = 0; m < MR; ++m) {
        const Vec x = broadcast(a[m * a_step + k]);
#pragma GCC unroll 4
        for (int n = 0; n < NR; ++n) acc[m][n] = fma(x, w[n], acc[m][n]);
      }
    }
    write_tile<MR, NR>(rows, step.finish, step.accumulate, step.far, step.tail, acc);
  }
}

// Sums a[i][j][m] * b[i][j][n] over a rectangle of `rows` x `cols` pixels.
struct OuterStep {
  const float* a;
  int64_t a_row, a_col;
  const float* b;
  int64_t b_row, b_col;
  int64_t rows, cols;
  float* y;
  int64_t y_row;      // from one of the MR rows to the next
  const float* bias;  // as in RowsStep
  bool accumulate;    // start from y
  int tail;           // lanes in use of the last vector, in b and in y
  int64_t ahead = 0;  // floats: how far before it is read b is asked for, where it is far, see far.h
};

template <int MR, int NR, bool kTail>
RECEPTIVE_INLINE void outer_sum(const OuterStep& step, Vec (&acc)[MR][NR]) {
  for (int64_t i = 0; i < step.rows; ++i) {
    const float* a = step.a + i * step.a_row;
    const float* b = step.b + i * step.b_row;
    for (int64_t j = 0; j < step.cols; ++j, a += step.a_col, b += step.b_col) {
      if (step.ahead > 0) {
#pragma GCC unroll 4
        for (int n = 0; n < NR; ++n) prefetch(b + step.ahead + n * Vec::width);
      }
      Vec w[NR];
#pragma GCC unroll 4
      for (int n = 0; n < NR; ++n) w[n] = kTail && n == NR - 1 ? load(b + n * Vec::width, step.tail) : load(b + n * Vec::width);
#pragma GCC unroll 8
      for (int m = 0; m < MR; ++m) {
        const Vec x = broadcast(a[m]);
#pragma GCC unroll 4
        for (int n = 0; n < NR; ++n) acc[m][n] = fma(x, w[n], acc[m][n]);
      }
    }
  }
}

template <int MR, int NR>
RECEPTIVE_NOTHROW void outer_tile(const OuterStep& step) {
  Vec acc[MR][NR];
  Vec start[NR];
  for (int n = 0; n < NR; ++n) start[n] = zero();
  if (step.bias) load_row<NR>(step.bias, step.tail, start);
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) {
    for (int n = 0; n < NR; ++n) acc[m][n] = start[n];
    if (step.accumulate) load_row<NR>(step.y + m * step.y_row, step.tail, acc[m]);
  }
  if (step.tail == Vec::width) {
    outer_sum<MR, NR, false>(step, acc);
  } else {
    outer_sum<MR, NR, true>(step, acc);
  }
#pragma GCC unroll 8
  for (int m = 0; m < MR; ++m) store_row<NR>(step.y + m * step.y_row, step.tail, acc[m]);
}

// A family of tiles instantiated for every 1 <= nr <= Family::max_nr and 1 <= mr <= rows_for(nr).
template <class Family>
struct Grid {
  typename Family::Kernel kernels[Family::max_nr][kMaxMR];
  constexpr Grid() : kernels() { fill<1, 1>(); }
  constexpr typename Family::Kernel operator()(int mr, int nr) const { return kernels[nr - 1][mr - 1]; }

 private:
  template <int NR, int MR>
  constexpr void fill() {
    kernels[NR - 1][MR - 1] = Family::template tile<MR, NR>;
    if constexpr (MR < rows_for(NR)) {
      fill<NR, MR + 1>();
    } else if constexpr (NR < Family::max_nr) {
      fill<NR + 1, 1>();
    }
  }
};

struct RowsFamily {
  static constexpr int max_nr = kMaxNR;
  using Kernel = void (*)(const RowsTile&, const RowsStep&);
  template <int MR, int NR>
  static constexpr Kernel tile = rows_tile<MR, NR>;
};
struct OuterFamily {
  static constexpr int max_nr = kMaxNR;
  using Kernel = void (*)(const OuterStep&);
  template <int MR, int NR>
  static constexpr Kernel tile = outer_tile<MR, NR>;
};
inline constexpr Grid<RowsFamily> rows_kernel;
inline constexpr Grid<OuterFamily> outer_kernel;

template <int NR>
RECEPTIVE_INLINE void run_rows_of(int nr, const RowsRun& run, const RowsStep& step) {
  if (nr == NR) return rows_run<rows_for(NR), NR>(run, step);
  if constexpr (NR > 1) run_rows_of<NR - 1>(nr, run, step);
}

// A step of one segment for all rows of a run.
inline RECEPTIVE_OUTLINE RECEPTIVE_NOTHROW void run_rows(int nr, const RowsRun& run, const RowsStep& step) {
  run_rows_of<kMaxNR>(nr, run, step);
  const int rest = static_cast<int>(run.count % rows_for(nr));
  if (rest == 0) return;
  RowsTile tile;
  for (int m = 0; m < rest; ++m) {
    const int64_t row = run.count - rest + m;
    tile.a[m] = run.a + row * run.a_step, tile.y[m] = run.y + row * run.y_step;
  }
  rows_kernel(rest, nr)(tile, step);
}

// N columns cut into panels of at most kMaxNR vectors, as even as they come.
struct Panels {
  int64_t columns;
  explicit Panels(int64_t n) : columns(n) {}
  int64_t vectors() const { return (columns + Vec::width - 1) / Vec::width; }
  int64_t count() const { return (vectors() + kMaxNR - 1) / kMaxNR; }
  int64_t first(int64_t p) const { return p * vectors() / count(); }  // vector
  int width(int64_t p) const { return static_cast<int>(first(p + 1) - first(p)); }
  // Lanes in use of panel p's last vector.
  int tail(int64_t p) const { return static_cast<int>(smaller<int64_t>(columns - (first(p + 1) - 1) * Vec::width, Vec::width)); }
  // Floats before panel p, where each panel has `steps` steps.
  int64_t offset(int64_t p, int64_t steps) const { return first(p) * Vec::width * steps; }
  int64_t size(int64_t steps) const { return vectors() * Vec::width * steps; }
};

// Rows cut into tiles of at most most, as even as they come: tile t covers [begin(t), begin(t + 1)).
struct Tiles {
  int64_t rows, count;
  Tiles(int64_t n, int most) : rows(n), count((n + most - 1) / most) {}
  int64_t begin(int64_t t) const { return t * rows / count; }
};

constexpr int64_t kPackGrain = 1 << 15;  // floats worth a chunk of packing

// dst[step][NR vectors] = src[step * ld + column], zero beyond the last column.
inline RECEPTIVE_OUTLINE RECEPTIVE_NOTHROW void pack_panel(const float* src, int64_t ld, int64_t steps, int nr, int tail, float* dst) {
  for (int64_t s = 0; s < steps; ++s, src += ld, dst += nr * Vec::width) {
    for (int n = 0; n < nr - 1; ++n) store(dst + n * Vec::width, load(src + n * Vec::width));
    store(dst + (nr - 1) * Vec::width, load(src + (nr - 1) * Vec::width, tail));
  }
}

// dst[step][NR vectors] = src[column * ld + step], zero beyond the last column. In pieces of a few steps, whose lines of dst stay in L1.
inline RECEPTIVE_OUTLINE RECEPTIVE_NOTHROW void pack_panel_transposed(const float* src, int64_t ld, int64_t steps, int nr, int tail,
                                                                      float* dst) {
  constexpr int64_t kPiece = 16;
  const int64_t width = nr * Vec::width, columns = width - Vec::width + tail;
  for (int64_t begin = 0; begin < steps; begin += kPiece) {
    const int64_t end = smaller(begin + kPiece, steps);
    for (int64_t c = 0; c < width; c += 4) {
      int64_t s = begin;
      if (c + 4 <= columns) {
        for (; s + 4 <= end; s += 4) transpose4(src + c * ld + s, ld, dst + s * width + c, width);
      }
      for (; s < end; ++s) {
        for (int64_t i = c; i < c + 4; ++i) dst[s * width + i] = i < columns ? src[i * ld + s] : 0;
      }
    }
  }
}

RECEPTIVE_NOTHROW_END

}  // namespace receptive::RECEPTIVE_ISA
