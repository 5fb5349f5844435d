// Rectifier with learned slopes: forward one pass; backward one pass for both gradients, the slopes' as sums down the columns of
// [rows, channels]. Where there are few channels several rows are taken for one, so that vectors are full.
#include "../ops/prelu.h"

#include "columns.h"

namespace receptive::RECEPTIVE_ISA {

void prelu(const PreluArgs<float>&, Context&);
void prelu_backward(const PreluBackwardArgs<float>&, Context&);

void prelu(const PreluArgs<float>& a, Context& context) {
  if (a.rows * a.channels == 0) return;
  const int64_t unit = unit_of(a.rows, a.channels);
  const float* weights = along_unit(a.channels, unit, context, [&](int64_t c) { return a.weight[c]; });
  along_rows(a.rows * a.channels, unit, context, [&](int64_t i, int64_t c, int lanes) {
    const Vec x = load_some(a.x + i, lanes);
    store_some(a.y + i, select(x > zero(), x, load_some(weights + c, lanes) * x), lanes);
  });
}

// A block of rows of V vectors (of `lanes` numbers when V is 1), its slopes' gradients added to sums.
template <int V>
RECEPTIVE_INLINE void block(const PreluBackwardArgs<float>& a, const float* weights, int64_t at, int64_t stride, int64_t rows, int lanes,
                            double* sums) {
  Vec weight[V], sum[V];
  for (int v = 0; v < V; ++v) {
    weight[v] = load_some(weights + v * Vec::width, lanes);
    sum[v] = zero();
  }
  for (int64_t r = 0; r < rows; ++r, at += stride) {
    for (int v = 0; v < V; ++v) {
      const int64_t i = at + v * Vec::width;
      const Vec x = load_some(a.x + i, lanes), g = load_some(a.g + i, lanes);
      sum[v] = sum[v] + select(x > zero(), zero(), g * x);
      if (a.dx) store_some(a.dx + i, select(x > zero(), g, weight[v] * g), lanes);
    }
  }
  float total[V * Vec::width];
  for (int v = 0; v < V; ++v) store(total + v * Vec::width, sum[v]);
  RECEPTIVE_VECTORISE
  for (int i = 0; i < (V == 1 ? lanes : V * Vec::width); ++i) sums[i] += total[i];
}

void prelu_backward(const PreluBackwardArgs<float>& a, Context& context) {
  const int64_t C = a.channels, size = a.rows * C;
  if (C == 0) return;
  const int64_t unit = unit_of(a.rows, C), whole = size / unit;
  const float* weights = along_unit(C, unit, context, [&](int64_t c) { return a.weight[c]; });
  const auto blocks = [&](int64_t at, int64_t rows, int64_t columns, double* sums) {
    int64_t c = 0;
    for (; c + kPanel <= columns; c += kPanel) block<kVectors>(a, weights + c, at + c, unit, rows, Vec::width, sums + c);
    for (; c < columns; c += Vec::width) {
      block<1>(a, weights + c, at + c, unit, rows, static_cast<int>(smaller<int64_t>(Vec::width, columns - c)), sums + c);
    }
  };
  const Totals sums = sum_rows((size + unit - 1) / unit, unit, context,
                               [&](int64_t first, int64_t rows, const Totals& t) {
                                 for (int64_t r = first; r < first + rows; r += kBlock) {
                                   const int64_t end = smaller(r + kBlock, first + rows);
                                   blocks(r * unit, smaller(end, whole) - r, unit, t.first);
                                   if (end > whole) blocks(whole * unit, 1, size - whole * unit, t.first);
                                 }
                               },
                               [&](const Totals& t, int64_t, const Totals& next, int64_t) { add_totals(t, next, unit); });
  for (int64_t c = 0; a.dweight && c < C; ++c) {
    double sum = 0;
    for (int64_t i = c; i < unit; i += C) sum += sums.first[i];
    a.dweight[c] = static_cast<float>(sum);
  }
}

}  // namespace receptive::RECEPTIVE_ISA
