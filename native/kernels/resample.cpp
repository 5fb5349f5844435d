// Resampling by two sparse matrices. A row of the output: the rows of the image that it reads are summed into one of W C elements, which
// stays in the cache; then its columns are summed from that one, a vector of channels at a time in registers. Where one row is read as it
// is, nothing is summed first.
#include "../ops/upsample.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

void resample(const ResampleArgs<float>&, Context&);

// y = the sum of weight[k] times the line of n elements at x + cell[k] n, begin <= k < end.
RECEPTIVE_INLINE void sum_lines(const ResampledAxis<float>& axis, int64_t begin, int64_t end, const float* x, int64_t n, float* y) {
  for (int64_t c = 0; c < n; c += Vec::width) {
    const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, n - c));
    Vec sum = zero();
    if (begin < end) {
      sum = broadcast(axis.weight[begin]) * load_some(x + axis.cell[begin] * n + c, lanes);
      for (int64_t k = begin + 1; k < end; ++k) sum = fma(broadcast(axis.weight[k]), load_some(x + axis.cell[k] * n + c, lanes), sum);
    }
    store_some(y + c, sum, lanes);
  }
}

void resample(const ResampleArgs<float>& a, Context& context) {
  const int64_t row = a.W * a.C, read = larger<int64_t>(row + a.OW * a.C, 1);
  float* row_of_slot = static_cast<float*>(context.scratch(static_cast<size_t>(row * context.threads()) * sizeof(float)));
  split(context, a.N * a.OH, kElementGrain / read, 1, [&](int64_t begin, int64_t end, int slot) {
    for (int64_t r = begin; r < end; ++r) {
      const int64_t i = r % a.OH, first = a.rows.begin[i], last = a.rows.begin[i + 1];
      const float* x = a.x + r / a.OH * a.H * row;
      if (last - first == 1 && a.rows.weight[first] == 1.0f) {
        x += a.rows.cell[first] * row;
      } else {
        float* sum = row_of_slot + slot * row;
        sum_lines(a.rows, first, last, x, row, sum);
        x = sum;
      }
      for (int64_t j = 0; j < a.OW; ++j) {
        sum_lines(a.columns, a.columns.begin[j], a.columns.begin[j + 1], x, a.C, a.y + (r * a.OW + j) * a.C);
      }
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
