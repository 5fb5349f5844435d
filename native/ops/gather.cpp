// y[i, …] = x[index[i], …]: rows by their numbers, which are an embedding's lookup too.
#include <cstring>

#include "chunks.h"
#include "op.h"

namespace receptive {

namespace {

struct GatherArgs {
  const char* op;  // what a wrong index is reported by
  int64_t rows;
  int64_t count;
  size_t row_bytes;
  const unsigned char* x;
  const int32_t* index;
  unsigned char* y;
};

void gather(const GatherArgs& a, Context& context) {
  const int64_t grain = 4 * kChunk / static_cast<int64_t>(a.row_bytes + 1);
  for_chunks(context, a.count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = a.index[i];
      unsigned char* y = a.y + static_cast<size_t>(i) * a.row_bytes;
      if (row >= 0 && row < a.rows) {
        if (a.row_bytes > 0) std::memcpy(y, a.x + static_cast<size_t>(row) * a.row_bytes, a.row_bytes);
      } else {
        context.fail("%s: index %lld at %lld, expected 0 to %lld", a.op, static_cast<long long>(row), static_cast<long long>(i),
                     static_cast<long long>(a.rows - 1));
        if (a.row_bytes > 0) std::memset(y, 0, a.row_bytes);
      }
    }
  });
}

}  // namespace

// x [rows, …], index int32 [n], y [n, …]. A wrong index fails the command and gives a row of zeros.
void record_gather(Call& call) {
  const Tensor &x = call.in(0), &index = call.in(1), &y = call.in(2);
  call.require(x.rank > 0, "input is a scalar: it has no rows");
  call.require_dtype(index, Dtype::int32, "index");
  call.require_rank(index, 1, "index");
  call.require_dtype(y, x.dtype, "output");
  bool fits = y.rank == x.rank && y.dims[0] == index.dims[0];
  size_t row_bytes = size_of(x.dtype);
  for (int i = 1; i < x.rank; ++i) {
    fits = fits && y.dims[i] == x.dims[i];
    row_bytes *= static_cast<size_t>(x.dims[i]);
  }
  if (!fits) {
    call.fail("output has shape %s, expected %lld rows of input %s", shape_text(y).c_str(), static_cast<long long>(index.dims[0]),
              shape_text(x).c_str());
  }
  call.require_apart(x, y, "input", "output");
  call.require_apart(index, y, "index", "output");
  call.submit(gather,
              GatherArgs{call.op, x.dims[0], index.dims[0], row_bytes, x.as<unsigned char>(), index.as<int32_t>(), y.as<unsigned char>()});
}

// The same.
void record_embedding(Call& call) { record_gather(call); }

}  // namespace receptive
