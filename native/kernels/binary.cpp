// Elementwise functions of two tensors. The output is walked in rows of the last dimension, along which an operand is contiguous or
// one repeated value. A short row repeated over a long matrix (a bias of a few channels) is first written out several times into
// scratch, so that vectors are full.
#include "../ops/binary.h"

#include <math.h>

#include "../simd/vec.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

void binary(const BinaryArgs<float>&, Context&);

// y = f(a, b) over n elements, where from one vector to the next an operand moves by so many floats: a vector's, or none, where it is one
// value and a vector of it. Of this there is one for each function; all that is around it is compiled once.
using Row = void (*)(const float* a, int64_t a_step, const float* b, int64_t b_step, float* y, int64_t n);

template <Vec (*f)(Vec, Vec)>
static void row(const float* a, int64_t a_step, const float* b, int64_t b_step, float* y, int64_t n) {
  for (; n >= Vec::width; n -= Vec::width, a += a_step, b += b_step, y += Vec::width) store(y, f(load(a), load(b)));
  const int tail = static_cast<int>(n);
  if (tail > 0) store(y, f(load(a, tail), load(b, tail)), tail);
}

static void any_row(const float* a, int64_t a_stride, const float* b, int64_t b_stride, float* y, int64_t n, Row row) {
  float all_a[Vec::width], all_b[Vec::width];
  if (a_stride == 0) store(all_a, broadcast(*a));
  if (b_stride == 0) store(all_b, broadcast(*b));
  row(a_stride == 0 ? all_a : a, a_stride * Vec::width, b_stride == 0 ? all_b : b, b_stride * Vec::width, y, n);
}

// A matrix and one short row, repeated: returns the row written out `times` times.
RECEPTIVE_INLINE const float* repeated(const float* short_row, int64_t columns, int64_t times, Context& context) {
  float* pattern = static_cast<float*>(context.scratch(static_cast<size_t>(columns * times) * sizeof(float)));
  for (int64_t i = 0; i < times; ++i) memcpy(pattern + i * columns, short_row, static_cast<size_t>(columns) * sizeof(float));
  return pattern;
}

static void map(const BinaryArgs<float>& args, Context& context, Row row) {
  const int last = args.rank - 1;
  const int64_t columns = args.dims[last], as = args.a_strides[last], bs = args.b_strides[last];
  if (args.rank == 1) {
    return split(context, columns, kElementGrain, Vec::width, [&](int64_t begin, int64_t end, int) {
      any_row(args.a + begin * as, as, args.b + begin * bs, bs, args.y + begin, end - begin, row);
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
        row(a_repeats ? pattern : args.a + i, Vec::width, a_repeats ? args.b + i : pattern, Vec::width, args.y + i, n);
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
      any_row(args.a + a, as, args.b + b, bs, y, smaller(piece, columns - first), row);
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

RECEPTIVE_INLINE Vec sum(Vec a, Vec b) { return a + b; }
RECEPTIVE_INLINE Vec difference(Vec a, Vec b) { return a - b; }
RECEPTIVE_INLINE Vec product(Vec a, Vec b) { return a * b; }
RECEPTIVE_INLINE Vec quotient(Vec a, Vec b) { return a / b; }
// max and min give b where either is NaN
RECEPTIVE_INLINE Vec maximum(Vec a, Vec b) { return select(a == a, max(a, b), a); }
RECEPTIVE_INLINE Vec minimum(Vec a, Vec b) { return select(a == a, min(a, b), a); }
RECEPTIVE_INLINE Vec equal(Vec a, Vec b) { return select(a == b, broadcast(1.0f), zero()); }
RECEPTIVE_INLINE Vec greater(Vec a, Vec b) { return select(a > b, broadcast(1.0f), zero()); }
RECEPTIVE_INLINE Vec greater_equal(Vec a, Vec b) { return select(a > b, broadcast(1.0f), equal(a, b)); }

void binary(const BinaryArgs<float>& a, Context& context) {
  static constexpr Row rows[] = {row<sum>,     row<difference>, row<product>, row<quotient>, row<maximum>,
                                 row<minimum>, row<pow>,        row<equal>,   row<greater>,  row<greater_equal>};
  static_assert(sizeof rows / sizeof *rows == static_cast<size_t>(Binary::count), "a row for each");
  map(a, context, rows[static_cast<int>(a.kind)]);
}

}  // namespace receptive::RECEPTIVE_ISA
