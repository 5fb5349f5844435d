// dx = 0, then dx[index[i], …] += g[i, …] for each i in order: the gradient of gather, and of an embedding.
#include "chunks.h"
#include "op.h"

namespace receptive {

namespace {

template <class T>
struct ScatterAddArgs {
  int64_t rows;
  int64_t count;
  int64_t width;  // elements a row
  int64_t skip;   // a row that nothing is added to; -1: none
  const T* g;
  const int32_t* index;
  T* dx;
};

// Chunks own rows of dx, so no two threads add to one, and touch no others: beyond its zeros only the rows in use. Rows are dealt out to
// them in turn, a few cache lines at a time, because a vocabulary's frequent words come first. Each chunk reads the whole index, hence few
// chunks. An index that names no row, which gather has reported, adds nothing.
template <class T>
void scatter_add(const ScatterAddArgs<T>& a, Context& context) {
  if (a.width == 0) return;
  int shift = 0, log_chunks = 0;  // 2^shift rows are dealt out to one of 2^log_chunks chunks
  while (a.width << shift < 64 && shift < 6) ++shift;
  while (log_chunks < 4 && (a.rows + a.count) * a.width >> log_chunks > 8 * kChunk) ++log_chunks;
  const int64_t chunks = int64_t{1} << log_chunks, step = int64_t{1} << shift;
  context.parallel(chunks, [&](int64_t chunk, int) {
    for (int64_t row = chunk * step; row < a.rows; row += chunks * step) {
      std::fill(a.dx + row * a.width, a.dx + std::min(row + step, a.rows) * a.width, T{0});
    }
    for (int64_t i = 0; i < a.count; ++i) {
      const int64_t row = a.index[i];
      if (((row >> shift) & (chunks - 1)) != chunk || row < 0 || row >= a.rows || row == a.skip) continue;
      const T* g = a.g + i * a.width;
      T* dx = a.dx + row * a.width;
      for (int64_t j = 0; j < a.width; ++j) dx[j] += g[j];
    }
  });
}

template <class T>
void submit(Call& call, int64_t width) {
  const Tensor &g = call.in(0), &index = call.in(1), &dx = call.in(2);
  const int64_t skip = call.integer(0, -1, dx.dims[0] - 1);
  call.submit(scatter_add<T>, ScatterAddArgs<T>{dx.dims[0], index.dims[0], width, skip, g.as<T>(), index.as<int32_t>(), dx.as<T>()});
}

}  // namespace

// g [n, …], index int32 [n], dx [rows, …]; a row that is to stay 0, or -1.
void record_scatter_add(Call& call) {
  const Tensor &g = call.in(0), &index = call.in(1), &dx = call.in(2);
  call.require_float(g, "gradient");
  call.require_dtype(dx, g.dtype, "output");
  call.require_dtype(index, Dtype::int32, "index");
  call.require_rank(index, 1, "index");
  call.require(dx.rank > 0, "output is a scalar: it has no rows");
  bool fits = g.rank == dx.rank && g.dims[0] == index.dims[0];
  int64_t width = 1;
  for (int i = 1; i < dx.rank; ++i) {
    fits = fits && g.dims[i] == dx.dims[i];
    width *= dx.dims[i];
  }
  if (!fits) {
    call.fail("gradient has shape %s, expected %lld rows of output %s", shape_text(g).c_str(), static_cast<long long>(index.dims[0]),
              shape_text(dx).c_str());
  }
  call.require_apart(g, dx, "gradient", "output");
  call.require_apart(index, dx, "index", "output");
  g.dtype == Dtype::float32 ? submit<float>(call, width) : submit<double>(call, width);
}

}  // namespace receptive
