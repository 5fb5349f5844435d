// Reductions as passes over [outer, length, inner] -> [outer, inner], innermost reduced axis first.
//
// A pass goes through blocks of kBlock rows (of inner elements), each reduced in registers in single precision; blocks, and then the
// pieces that threads take, are joined in double and rounded once. So the error is that of kBlock additions, however long the axis.
// Where inner is small several rows count as one, so that vectors are full.
#include "../ops/reduce.h"

#include <math.h>

#include "split.h"

namespace receptive::RECEPTIVE_ISA {

void reduce(const ReduceArgs<float>&, Context&);

struct Sum {
  RECEPTIVE_INLINE Vec join(Vec a, Vec b) { return a + b; }
  RECEPTIVE_INLINE double join(double a, double b) { return a + b; }
  static constexpr double start = 0;
};
// NaN passes through both: max(a, b) and min(a, b) give b where either is NaN.
struct Max {
  RECEPTIVE_INLINE Vec join(Vec a, Vec b) { return select(a == a, max(a, b), a); }
  RECEPTIVE_INLINE double join(double a, double b) { return b > a || b != b ? b : a; }
  static constexpr double start = -INFINITY;
};
struct Min {
  RECEPTIVE_INLINE Vec join(Vec a, Vec b) { return select(a == a, min(a, b), a); }
  RECEPTIVE_INLINE double join(double a, double b) { return b < a || b != b ? b : a; }
  static constexpr double start = INFINITY;
};

struct Pass {
  int64_t outer, length, inner;
  const float* x;
  float* y;
  double divisor;
};

constexpr int64_t kBlock = 64;
constexpr int64_t kPanel = 4 * Vec::width;
constexpr int64_t kColumns = 1024;  // of a piece: its totals lie in the first cache

// Joins rows of `columns` elements, `stride` apart, into total.
template <class Op>
static RECEPTIVE_OUTLINE void join_rows(const float* x, int64_t rows, int64_t stride, int64_t columns, double* total) {
  for (int64_t r = 0; r < rows; r += kBlock) {
    const int64_t end = smaller(r + kBlock, rows);
    const float* block = x + r * stride;
    float part[kPanel];
    for (int64_t c = 0; c < columns; c += kPanel) {
      const int64_t n = smaller(kPanel, columns - c);
      if (n == kPanel) {
        const float* p = block + c;
        Vec s0 = load(p), s1 = load(p + Vec::width), s2 = load(p + 2 * Vec::width), s3 = load(p + 3 * Vec::width);
        for (int64_t i = r + 1; i < end; ++i) {
          p += stride;
          s0 = Op::join(s0, load(p));
          s1 = Op::join(s1, load(p + Vec::width));
          s2 = Op::join(s2, load(p + 2 * Vec::width));
          s3 = Op::join(s3, load(p + 3 * Vec::width));
        }
        store(part, s0);
        store(part + Vec::width, s1);
        store(part + 2 * Vec::width, s2);
        store(part + 3 * Vec::width, s3);
      } else {
        for (int64_t v = 0; v < n; v += Vec::width) {
          const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, n - v));
          const float* p = block + c + v;
          Vec s = load_some(p, lanes);
          for (int64_t i = r + 1; i < end; ++i) s = Op::join(s, load_some(p += stride, lanes));
          store_some(part + v, s, lanes);
        }
      }
      RECEPTIVE_VECTORISE
      for (int64_t i = 0; i < n; ++i) total[c + i] = Op::join(total[c + i], static_cast<double>(part[i]));
    }
  }
}

// Reduces `rows` contiguous short rows of `columns` elements, `fold` of them taken as one. total has fold * columns elements, of which
// the first `columns` become the result.
template <class Op>
RECEPTIVE_INLINE void join_short_rows(const float* x, int64_t rows, int64_t columns, int64_t fold, double* total) {
  const int64_t wide = fold * columns, whole = rows / fold;
  join_rows<Op>(x, whole, wide, wide, total);
  if (rows > whole * fold) join_rows<Op>(x + whole * wide, 1, wide, (rows - whole * fold) * columns, total);
  for (; fold > 1; fold = (fold + 1) / 2) {
    const int64_t half = (fold + 1) / 2;
    RECEPTIVE_VECTORISE
    for (int64_t i = 0; i < (fold - half) * columns; ++i) total[i] = Op::join(total[i], total[half * columns + i]);
  }
}

template <class Op>
RECEPTIVE_INLINE void run_pass(const Pass& pass, Context& context) {
  const int64_t inner = pass.inner, width = smaller(inner, kColumns), bands = (inner + width - 1) / width;
  const int64_t fold = inner < kPanel ? smaller(kPanel / inner, pass.length) : 1;
  const int64_t piece = smaller(pass.length, larger<int64_t>(2 * kElementGrain / width / (kBlock * fold), 1) * kBlock * fold);
  const int64_t pieces = (pass.length + piece - 1) / piece;

  const size_t totals = static_cast<size_t>(width * fold);
  double* totals_of_slot = static_cast<double*>(context.scratch(totals * static_cast<size_t>(context.threads()) * sizeof(double)));
  double* parts = nullptr;  // [outer, pieces, inner]
  if (pieces > 1) parts = static_cast<double*>(context.scratch(static_cast<size_t>(pass.outer * pieces * inner) * sizeof(double)));

  split(context, pass.outer * pieces * bands, kElementGrain / (piece * width), 1, [&](int64_t begin, int64_t end, int slot) {
    double* total = totals_of_slot + static_cast<size_t>(slot) * totals;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % bands * width, n = smaller(width, inner - first), at = i / bands;  // at: of [outer, pieces]
      const int64_t row = at % pieces * piece, rows = smaller(piece, pass.length - row);
      const float* x = pass.x + (at / pieces * pass.length + row) * inner + first;
      for (size_t t = 0; t < totals; ++t) total[t] = Op::start;
      if (fold > 1) {
        join_short_rows<Op>(x, rows, inner, fold, total);
      } else {
        join_rows<Op>(x, rows, inner, n, total);
      }
      if (parts) {
        memcpy(parts + at * inner + first, total, static_cast<size_t>(n) * sizeof(double));
      } else {
        RECEPTIVE_VECTORISE
        for (int64_t c = 0; c < n; ++c) pass.y[at * inner + first + c] = static_cast<float>(total[c] / pass.divisor);
      }
    }
  });
  if (!parts) return;
  split(context, pass.outer * inner, kElementGrain / pieces, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const double* part = parts + i / inner * pieces * inner + i % inner;
      double total = Op::start;
      for (int64_t p = 0; p < pieces; ++p) total = Op::join(total, part[p * inner]);
      pass.y[i] = static_cast<float>(total / pass.divisor);
    }
  });
}

RECEPTIVE_INLINE void run(Reduce kind, const Pass& pass, Context& context) {
  switch (kind) {
    case Reduce::sum:
    case Reduce::mean: return run_pass<Sum>(pass, context);
    case Reduce::max: return run_pass<Max>(pass, context);
    case Reduce::min: return run_pass<Min>(pass, context);
    case Reduce::count: return;
  }
}

void reduce(const ReduceArgs<float>& a, Context& context) {
  int left = 0;
  for (int d = 0; d < a.rank; ++d) left += a.reduced[d];
  if (left == 0) memcpy(a.y, a.x, static_cast<size_t>(a.x_size) * sizeof(float));
  const float* x = a.x;
  int64_t size = a.x_size, inner = 1;  // inner: of the kept axes behind the one in hand
  for (int d = a.rank - 1; d >= 0; --d) {
    if (!a.reduced[d]) {
      inner *= a.dims[d];
      continue;
    }
    size /= a.dims[d];
    const bool final = --left == 0;
    float* y = final ? a.y : static_cast<float*>(context.scratch(static_cast<size_t>(size) * sizeof(float)));
    const double divisor = final && a.kind == Reduce::mean ? static_cast<double>(a.x_size / a.y_size) : 1;
    run(a.kind, {size / inner, a.dims[d], inner, x, y, divisor}, context);
    x = y;
  }
}

}  // namespace receptive::RECEPTIVE_ISA
