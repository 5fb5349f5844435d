// Matrix product.
//
//   for each chunk: (batch, a few panels of b, block of rows)
//     for each block of reduction steps         its part of a panel of b stays in L1 or L2, the rows' of a in L2
//       for each panel, for each tile of MR rows
//         acc[MR][NR vectors] in registers      over the steps of the block
//
// b is packed into panels once for the call. a's rows are read in place; where it is transposed a chunk of several
// panels packs what it reads first.
#include "../ops/matmul.h"

#include "gemm.h"
#include "matmul_dot.h"

namespace receptive::RECEPTIVE_ISA {

void matmul(const MatmulArgs<float>&, Context&);

constexpr int64_t kSteps = 256;             // of a block
constexpr int64_t kProductGrain = 1 << 18;  // multiply-adds worth a chunk
constexpr int64_t kPanelsTogether = 4;      // at most: a is read so many times less often
constexpr int64_t kColumnsTogether = 256;   // where a is packed, which they share
constexpr int64_t kEnoughChunks = 32;
constexpr int64_t kRowsTogether = 8;  // of a transposed a, packed
constexpr int64_t kWholeTiles = 24;   // rows that are a multiple of most tiles'

// A chunk's part of a product.
struct Block {
  int64_t begin, end;   // rows
  int64_t first, last;  // panels
  const float *a, *b;   // of a's matrix, and its panels
  float* y;
  float* packed;  // room for the rows' part of a transposed a
};

// Floats before tile t's part of a transposed a, whose first column is that. Whole vectors are stored: what lies beyond a step is the next
// one's, or room.
static int64_t packed_before(int64_t first, int64_t t, int64_t steps) { return first * steps + t * Vec::width; }

// So many columns of a transposed a, `steps` of its rows: for each tile, step by step, MR of them. A few rows at a time, whose lines
// hold columns of several tiles. A masked store costs AMD processors 12 cycles.
static void pack_tiles(const float* a, int64_t M, int64_t steps, const Tiles& tiles, float* to) {
  for (int64_t begin = 0; begin < steps; begin += kRowsTogether) {
    const int64_t end = smaller(begin + kRowsTogether, steps);
    for (int64_t t = 0, first = 0, next = 0; t < tiles.count; ++t, first = next) {
      next = tiles.begin(t + 1);
      const int64_t mr = next - first;
      float* const tile = to + packed_before(first, t, steps);
      for (int64_t k = begin; k < end; ++k) {
        for (int64_t m = 0; m < mr; m += Vec::width) {
          const int n = static_cast<int>(smaller<int64_t>(mr - m, Vec::width));
          store(tile + k * mr + m, load(a + k * M + first + m, n));
        }
      }
    }
  }
}

static void multiply(const MatmulArgs<float>& p, const Panels& panels, const Block& block) {
  const Finish finish = {p.y, nullptr, p.clip};
  const int64_t rows = block.end - block.begin;
  const int64_t blocks = larger<int64_t>((p.K + kSteps - 1) / kSteps, 1);
  for (int64_t i = 0; i < blocks; ++i) {
    const int64_t k = i * p.K / blocks, steps = (i + 1) * p.K / blocks - k;
    int packed_for = 0;  // rows of a tile
    for (int64_t index = block.first; index < block.last; ++index) {
      const int nr = panels.width(index), tail = panels.tail(index);
      const int64_t column = panels.first(index) * Vec::width;
      const float* const b = block.b + panels.offset(index, p.K) + k * nr * Vec::width;
      const float* const bias = p.bias && k == 0 ? p.bias + column : nullptr;
      float* const y = block.y + block.begin * p.N + column;
      if (!p.trans_a) {
        const Segment segment = {k, steps};
        run_rows(nr, {block.a + block.begin * p.K, p.K, y, p.N, rows},
                 {&segment, 1, b, nr * Vec::width, bias, k > 0, tail, i + 1 == blocks && clips(p.clip) ? &finish : nullptr});
        continue;
      }
      const Tiles tiles(rows, rows_for(nr));
      const float* const a = block.a + k * p.M + block.begin;
      if (block.packed && packed_for != rows_for(nr)) pack_tiles(a, p.M, steps, tiles, block.packed), packed_for = rows_for(nr);
      for (int64_t t = 0; t < tiles.count; ++t) {
        const int64_t m = tiles.begin(t), mr = tiles.begin(t + 1) - m;
        const float* const tile = block.packed ? block.packed + packed_before(m, t, steps) : a + m;
        const OuterStep step = {tile, 0, block.packed ? mr : p.M, b, 0, nr * Vec::width, 1, steps, y + m * p.N, p.N, bias, k > 0, tail};
        outer_kernel(static_cast<int>(mr), nr)(step);
      }
    }
  }
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
  int64_t row_blocks = (p.M + row_grain - 1) / row_grain, rows = (p.M + row_blocks - 1) / row_blocks;
  if (row_blocks >= kEnoughChunks / 4) {  // of whole tiles
    rows = (rows + kWholeTiles - 1) / kWholeTiles * kWholeTiles;
    row_blocks = (p.M + rows - 1) / rows;
  }
  int64_t together = smaller(p.trans_a ? kColumnsTogether / (kMaxNR * Vec::width) : kPanelsTogether, count);
  while (together > 1 && p.batch * row_blocks * ((count + together - 1) / together) < kEnoughChunks) together /= 2;
  const int64_t groups = (count + together - 1) / together, chunks = p.batch * groups * row_blocks;
  const int64_t slots = small ? 1 : context.threads();
  const int64_t room = p.trans_a && together > 1 ? rows * smaller(p.K, kSteps) + Tiles(rows, rows_for(kMaxNR)).count * Vec::width : 0;
  float* const packed_a = static_cast<float*>(context.scratch(static_cast<size_t>(slots * room) * sizeof(float)));
  const auto compute = [&](int64_t chunk, int slot) {
    const int64_t block = chunk % row_blocks, group = chunk / row_blocks % groups, i = chunk / row_blocks / groups;
    multiply(p, panels,
             {block * rows, smaller((block + 1) * rows, p.M), group * together, smaller((group + 1) * together, count), p.a + i * p.M * p.K,
              b + i * packed, p.y + i * p.M * p.N, room > 0 ? packed_a + slot * room : nullptr});
  };
  const int64_t packs = p.batch * count;
  if (small) {
    for (int64_t i = 0; i < (made ? 0 : packs); ++i) pack(i, 0);
    for (int64_t i = 0; i < chunks; ++i) compute(i, 0);
  } else {
    context.parallel(made ? 0 : packs, pack);
    context.parallel(chunks, compute);
  }
}

}  // namespace receptive::RECEPTIVE_ISA
