// Matrix product.
//
//   for each block of reduction steps       its part of a panel of b stays in L2
//     for each tile of MR rows              a's rows are read in place: contiguous, or MR beside each other when transposed
//       acc[MR][NR vectors] in registers    over the steps of the block
//
// b is packed into panels once for the call; chunks are (batch, block of rows, panel).
#include "../ops/matmul.h"

#include "gemm.h"
#include "matmul_dot.h"

namespace receptive::RECEPTIVE_ISA {

void matmul(const MatmulArgs<float>&, Context&);

constexpr int64_t kSteps = 384;             // of a block: its part of a panel stays in L2
constexpr int64_t kStepsTransposed = 128;   // fewer where each step reads another line of a, all of one set when rows are 4 KiB apart
constexpr int64_t kProductGrain = 1 << 18;  // multiply-adds worth a chunk

// Rows [begin, end) of one matrix, columns of panel p.
static void multiply(const MatmulArgs<float>& p, const float* a, const float* panel, float* y, const Panels& panels, int64_t index,
                     int64_t begin, int64_t end) {
  const int nr = panels.width(index), tail = panels.tail(index);
  const int64_t column = panels.first(index) * Vec::width;
  const float* bias = p.bias ? p.bias + column : nullptr;
  const Finish finish = {p.y, nullptr, p.clip};
  const Tiles tiles(p.trans_a ? end - begin : 0, rows_for(nr));
  int64_t k = 0;
  do {
    const int64_t steps = smaller(p.K - k, p.trans_a ? kStepsTransposed : kSteps);
    const float* const b = panel + k * nr * Vec::width;
    for (int64_t t = 0; t < tiles.count; ++t) {
      const int64_t m = begin + tiles.begin(t);
      const OuterStep step = {a + k * p.M + m,    0,     p.M, b, 0, nr * Vec::width, 1, steps, y + m * p.N + column, p.N,
                              k ? nullptr : bias, k > 0, tail};
      outer_kernel(static_cast<int>(tiles.begin(t + 1) - tiles.begin(t)), nr)(step);
    }
    const Segment segment = {k, steps};
    if (!p.trans_a) {
      run_rows(nr, {a + begin * p.K, p.K, y + begin * p.N + column, p.N, end - begin},
               {&segment, 1, b, nr * Vec::width, k ? nullptr : bias, k > 0, tail, k + steps == p.K && clips(p.clip) ? &finish : nullptr});
    }
    k += steps;
  } while (k < p.K);
}

void matmul(const MatmulArgs<float>& p, Context& context) {
  if (p.batch == 0 || p.M == 0 || p.N == 0) return;
  if (dot_pays(p)) return matmul_dot(p, context);
  const Panels panels(p.N);
  const int64_t count = panels.count(), packed = panels.size(p.K);
  bool made;
  float* b = static_cast<float*>(context.keep(static_cast<size_t>(p.batch * packed) * sizeof(float), &made));
  const auto pack = [&](int64_t chunk, int) {
    const int64_t i = chunk / count, index = chunk % count, column = panels.first(index) * Vec::width;
    float* dst = b + i * packed + panels.offset(index, p.K);
    const float* src = p.b + i * p.K * p.N;
    if (p.trans_b) {
      pack_panel_transposed(src + column * p.K, p.K, p.K, panels.width(index), panels.tail(index), dst);
    } else {
      pack_panel(src + column, p.N, p.K, panels.width(index), panels.tail(index), dst);
    }
  };
  const bool small = p.batch * p.M * p.N * p.K < kProductGrain;
  const int64_t row_grain = larger<int64_t>(kProductGrain / larger<int64_t>(p.K * kMaxNR * Vec::width, 1), 4 * kMaxMR);
  const int64_t row_blocks = (p.M + row_grain - 1) / row_grain;
  const auto compute = [&](int64_t chunk, int) {
    const int64_t block = chunk % row_blocks, index = chunk / row_blocks % count, i = chunk / row_blocks / count;
    multiply(p, p.a + i * p.M * p.K, b + i * packed + panels.offset(index, p.K), p.y + i * p.M * p.N, panels, index,
             block * p.M / row_blocks, (block + 1) * p.M / row_blocks);
  };
  const int64_t packs = p.batch * count, chunks = packs * row_blocks;
  if (small) {
    for (int64_t i = 0; i < (made ? 0 : packs); ++i) pack(i, 0);
    for (int64_t i = 0; i < chunks; ++i) compute(i, 0);
  } else {
    context.parallel(made ? 0 : packs, pack);
    context.parallel(chunks, compute);
  }
}

}  // namespace receptive::RECEPTIVE_ISA
