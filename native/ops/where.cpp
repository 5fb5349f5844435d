// y[i] = condition[i] is not 0 ? a[i] : b[i], with NumPy's broadcasting of all three.
#include <algorithm>

#include "chunks.h"
#include "op.h"

namespace receptive {

namespace {

// n cells of y: what is read lies so many cells apart. T is an integer of an element's width: cells are copied, whatever they hold. Of this
// there is one for each pair of types; all that is around it is compiled once.
using Row = void (*)(const char* const* from, const int64_t* strides, char* y, int64_t n);

template <class C, class T>
void where_row(const char* const* from, const int64_t* strides, char* to, int64_t n) {
  const C* const condition = reinterpret_cast<const C*>(from[0]);
  const T *const a = reinterpret_cast<const T*>(from[1]), *const b = reinterpret_cast<const T*>(from[2]);
  T* const y = reinterpret_cast<T*>(to);
  const int64_t cs = strides[0], as = strides[1], bs = strides[2];
  for (int64_t j = 0; j < n; ++j) y[j] = condition[j * cs] != 0 ? a[j * as] : b[j * bs];
}

// Dimensions are coalesced; strides are in elements.
struct WhereArgs {
  Row row;
  int rank;
  int64_t dims[kMaxRank];
  int64_t strides[3][kMaxRank];  // of the condition, a and b
  const char* from[3];
  int64_t widths[3];  // of their elements
  char* y;
};

void where(const WhereArgs& args, Context& context) {
  const int last = args.rank - 1;
  const int64_t columns = args.dims[last];
  int64_t rows = 1;
  for (int d = 0; d < last; ++d) rows *= args.dims[d];
  if (rows == 0 || columns == 0) return;
  const int64_t piece = std::min(columns, kChunk), pieces = (columns + piece - 1) / piece;
  const int64_t steps[] = {args.strides[0][last], args.strides[1][last], args.strides[2][last]};
  for_chunks(context, rows * pieces, kChunk / piece, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % pieces * piece, row = i / pieces;
      int64_t rest = row, at[3];
      for (int k = 0; k < 3; ++k) at[k] = first * steps[k];
      for (int d = last - 1; d >= 0; --d) {
        const int64_t index = rest % args.dims[d];
        rest /= args.dims[d];
        for (int k = 0; k < 3; ++k) at[k] += index * args.strides[k][d];
      }
      const char* from[3];
      for (int k = 0; k < 3; ++k) from[k] = args.from[k] + at[k] * args.widths[k];
      args.row(from, steps, args.y + (row * columns + first) * args.widths[1], std::min(piece, columns - first));
    }
  });
}

// Strides that walk t over the indices of y, t's dimensions being the last ones: 0 where t is repeated.
void broadcast_strides(const Tensor& t, const Tensor& y, int64_t* strides) {
  int64_t stride = 1;
  for (int i = y.rank - 1; i >= 0; --i) {
    const int own = i - (y.rank - t.rank);
    const int64_t dim = own >= 0 ? t.dims[own] : 1;
    strides[i] = dim == 1 ? 0 : stride;
    stride *= dim;
  }
}

template <class C>
Row row_of(int64_t width) {
  return width == 1 ? where_row<C, uint8_t> : width == 4 ? where_row<C, uint32_t> : where_row<C, uint64_t>;
}

Row row_of(Dtype condition, int64_t width) {
  switch (condition) {
    case Dtype::float32: return row_of<float>(width);
    case Dtype::float64: return row_of<double>(width);
    case Dtype::int32: return row_of<int32_t>(width);
    default: return row_of<uint8_t>(width);
  }
}

}  // namespace

// condition, a, b, y.
void record_where(Call& call) {
  const Tensor &condition = call.in(0), &a = call.in(1), &b = call.in(2), &y = call.in(3);
  call.require_dtype(b, a.dtype, "second choice");
  call.require_dtype(y, a.dtype, "output");
  bool fits = y.rank == std::max({condition.rank, a.rank, b.rank});
  for (int i = 1; fits && i <= y.rank; ++i) {
    int64_t dim = 1;
    for (const Tensor* t : {&condition, &a, &b}) {
      const int64_t own = i <= t->rank ? t->dims[t->rank - i] : 1;
      fits = fits && (own == 1 || dim == 1 || own == dim);
      if (own != 1) dim = own;
    }
    fits = fits && y.dims[y.rank - i] == dim;
  }
  if (!fits) {
    call.fail("shapes %s, %s and %s do not broadcast to %s", shape_text(condition).c_str(), shape_text(a).c_str(), shape_text(b).c_str(),
              shape_text(y).c_str());
  }
  call.require_apart(condition, y, "condition", "output");
  call.require_apart(a, y, "first choice", "output");
  call.require_apart(b, y, "second choice", "output");
  const auto width = static_cast<int64_t>(size_of(y.dtype));
  WhereArgs args = {row_of(condition.dtype, width), 0, {}, {}, {}, {}, y.as<char>()};
  std::copy_n(y.dims, y.rank, args.dims);
  for (int k = 0; k < 3; ++k) {
    broadcast_strides(call.in(k), y, args.strides[k]);
    args.from[k] = call.in(k).as<char>();
    args.widths[k] = static_cast<int64_t>(size_of(call.in(k).dtype));
  }
  args.rank = coalesce<3>(y.rank, args.dims, args.strides);
  call.submit(where, args);
}

}  // namespace receptive
