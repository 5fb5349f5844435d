// dx = 0, then dx[index[i], …] += g[i, …] for each i in order: the gradient of gather.
#include "chunks.h"
#include "op.h"

namespace receptive {

namespace {

template <class T>
struct ScatterAddArgs {
  int64_t rows;
  int64_t count;
  int64_t width;  // elements a row
  const T* g;
  const int32_t* index;
  T* dx;
};

// Chunks own ranges of dx's rows, so no two threads add to one; each reads the whole index, hence few chunks. An index that names no row,
// which gather has reported, adds nothing.
template <class T>
void scatter_add(const ScatterAddArgs<T>& a, Context& context) {
  const int64_t chunks = std::clamp<int64_t>((a.rows + a.count) * a.width / (4 * kChunk), 1, 16);
  for_chunks(context, a.rows, (a.rows + chunks - 1) / chunks, [&](int64_t begin, int64_t end) {
    std::fill(a.dx + begin * a.width, a.dx + end * a.width, T{0});
    for (int64_t i = 0; i < a.count; ++i) {
      const int64_t row = a.index[i];
      if (row < begin || row >= end) continue;
      const T* g = a.g + i * a.width;
      T* dx = a.dx + row * a.width;
      for (int64_t j = 0; j < a.width; ++j) dx[j] += g[j];
    }
  });
}

template <class T>
void submit(Call& call, int64_t width) {
  const Tensor &g = call.in(0), &index = call.in(1), &dx = call.in(2);
  call.submit(scatter_add<T>, ScatterAddArgs<T>{dx.dims[0], index.dims[0], width, g.as<T>(), index.as<int32_t>(), dx.as<T>()});
}

}  // namespace

// g [n, …], index int32 [n], dx [rows, …].
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
    call.require(false, "gradient has shape %s, expected %lld rows of output %s", shape_text(g).c_str(),
                 static_cast<long long>(index.dims[0]), shape_text(dx).c_str());
  }
  call.require_apart(g, dx, "gradient", "output");
  call.require_apart(index, dx, "index", "output");
  g.dtype == Dtype::float32 ? submit<float>(call, width) : submit<double>(call, width);
}

}  // namespace receptive
