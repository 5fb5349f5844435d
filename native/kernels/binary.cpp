// Elementwise functions of two tensors. The output is walked in rows of the last dimension, along which an operand is contiguous or
// one repeated value. A short row repeated over a long matrix (a bias of a few channels) is first written out several times into
// scratch, so that vectors are full.
#include "../ops/binary.h"

#include <math.h>

#include "../simd/vec.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

void binary(const BinaryArgs<float>&, Context&);

// y = f(a, b) over n elements; an operand whose flag is 0 is one value.
template <int a_moves, int b_moves, class F>
RECEPTIVE_INLINE void row(const float* a, const float* b, float* y, int64_t n, const F& f) {
  const Vec a0 = broadcast(*a), b0 = broadcast(*b);
  int64_t i = 0;
  for (; i + Vec::width <= n; i += Vec::width) store(y + i, f(a_moves ? load(a + i) : a0, b_moves ? load(b + i) : b0));
  const int tail = static_cast<int>(n - i);
  if (tail > 0) store(y + i, f(a_moves ? load(a + i, tail) : a0, b_moves ? load(b + i, tail) : b0), tail);
}

template <class F>
RECEPTIVE_INLINE void any_row(const float* a, int64_t a_stride, const float* b, int64_t b_stride, float* y, int64_t n, const F& f) {
  if (a_stride && b_stride) return row<1, 1>(a, b, y, n, f);
  if (a_stride) return row<1, 0>(a, b, y, n, f);
  if (b_stride) return row<0, 1>(a, b, y, n, f);
  row<0, 0>(a, b, y, n, f);
}

// A matrix and one short row, repeated: returns the row written out `times` times.
RECEPTIVE_INLINE const float* repeated(const float* short_row, int64_t columns, int64_t times, Context& context) {
  float* pattern = static_cast<float*>(context.scratch(static_cast<size_t>(columns * times) * sizeof(float)));
  for (int64_t i = 0; i < times; ++i) memcpy(pattern + i * columns, short_row, static_cast<size_t>(columns) * sizeof(float));
  return pattern;
}

template <class F>
RECEPTIVE_INLINE void map(const BinaryArgs<float>& args, Context& context, const F& f) {
  const int last = args.rank - 1;
  const int64_t columns = args.dims[last], as = args.a_strides[last], bs = args.b_strides[last];
  if (args.rank == 1) {
    return split(context, columns, kElementGrain, Vec::width, [&](int64_t begin, int64_t end, int) {
      any_row(args.a + begin * as, as, args.b + begin * bs, bs, args.y + begin, end - begin, f);
    });
  }
  int64_t rows = 1;
  for (int d = 0; d < last; ++d) rows *= args.dims[d];
  if (rows == 0 || columns == 0) return;

  if (args.rank == 2 && columns < 4 * Vec::width && as && bs) {  // then one of them has a first stride of 0
    const bool a_repeats = args.a_strides[0] == 0;
    const int64_t times = smaller<int64_t>(8 * Vec::width / columns + 1, rows), unit = columns * times;
    const float* pattern = repeated(a_repeats ? args.a : args.b, columns, times, context);
    return split(context, rows * columns, kElementGrain, unit, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; i += unit) {
        const int64_t n = smaller(unit, end - i);
        row<1, 1>(a_repeats ? pattern : args.a + i, a_repeats ? args.b + i : pattern, args.y + i, n, f);
      }
    });
  }

  const int64_t piece = smaller<int64_t>(columns, kElementGrain), pieces = (columns + piece - 1) / piece;
  split(context, rows * pieces, larger<int64_t>(kElementGrain / piece, 1), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % pieces * piece;
      int64_t rest = i / pieces, a = first * as, b = first * bs;
      float* y = args.y + rest * columns + first;
      for (int d = last - 1; d >= 0; --d) {
        const int64_t index = rest % args.dims[d];
        rest /= args.dims[d];
        a += index * args.a_strides[d];
        b += index * args.b_strides[d];
      }
      any_row(args.a + a, as, args.b + b, bs, y, smaller(piece, columns - first), f);
    }
  });
}

// No polynomial: the error of e^(b log a) grows with the result's exponent.
RECEPTIVE_INLINE Vec pow(Vec a, Vec b) {
  float base[Vec::width], exponent[Vec::width];
  store(base, a);
  store(exponent, b);
  for (int i = 0; i < Vec::width; ++i) base[i] = powf(base[i], exponent[i]);
  return load(base);
}

void binary(const BinaryArgs<float>& a, Context& context) {
  const Vec one = broadcast(1.0f);
  switch (a.kind) {
    case Binary::add: return map(a, context, [](Vec p, Vec q) { return p + q; });
    case Binary::sub: return map(a, context, [](Vec p, Vec q) { return p - q; });
    case Binary::mul: return map(a, context, [](Vec p, Vec q) { return p * q; });
    case Binary::div: return map(a, context, [](Vec p, Vec q) { return p / q; });
    // max and min give q where either is NaN
    case Binary::max: return map(a, context, [](Vec p, Vec q) { return select(p == p, max(p, q), p); });
    case Binary::min: return map(a, context, [](Vec p, Vec q) { return select(p == p, min(p, q), p); });
    case Binary::pow: return map(a, context, [](Vec p, Vec q) { return pow(p, q); });
    case Binary::equal: return map(a, context, [&](Vec p, Vec q) { return select(p == q, one, zero()); });
    case Binary::greater: return map(a, context, [&](Vec p, Vec q) { return select(p > q, one, zero()); });
    case Binary::greater_equal: return map(a, context, [&](Vec p, Vec q) { return select(p > q, one, select(p == q, one, zero())); });
    case Binary::count: return;
  }
}

}  // namespace receptive::RECEPTIVE_ISA
