// y[i] = condition[i] is not 0 ? a[i] : b[i], with NumPy's broadcasting of all three.
#include <algorithm>

#include "chunks.h"
#include "op.h"

namespace receptive {

namespace {

// Dimensions are coalesced. Cells are copied, whatever they hold: T is an integer of an element's width.
template <class C, class T>
struct WhereArgs {
  int rank;
  int64_t dims[kMaxRank];
  int64_t strides[3][kMaxRank];  // of the condition, a and b
  const C* condition;
  const T* a;
  const T* b;
  T* y;
};

template <class C, class T>
void where(const WhereArgs<C, T>& args, Context& context) {
  const int last = args.rank - 1;
  const int64_t columns = args.dims[last];
  int64_t rows = 1;
  for (int d = 0; d < last; ++d) rows *= args.dims[d];
  if (rows == 0 || columns == 0) return;
  const int64_t piece = std::min(columns, kChunk), pieces = (columns + piece - 1) / piece;
  for_chunks(context, rows * pieces, kChunk / piece, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t first = i % pieces * piece, n = std::min(piece, columns - first);
      int64_t rest = i / pieces, at[3];
      T* const y = args.y + rest * columns + first;
      for (int k = 0; k < 3; ++k) at[k] = first * args.strides[k][last];
      for (int d = last - 1; d >= 0; --d) {
        const int64_t index = rest % args.dims[d];
        rest /= args.dims[d];
        for (int k = 0; k < 3; ++k) at[k] += index * args.strides[k][d];
      }
      const int64_t cs = args.strides[0][last], as = args.strides[1][last], bs = args.strides[2][last];
      for (int64_t j = 0; j < n; ++j) {
        y[j] = args.condition[at[0] + j * cs] != 0 ? args.a[at[1] + j * as] : args.b[at[2] + j * bs];
      }
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

template <class C, class T>
void submit(Call& call) {
  const Tensor& y = call.in(3);
  WhereArgs<C, T> args{0, {}, {}, call.in(0).as<C>(), call.in(1).as<T>(), call.in(2).as<T>(), y.as<T>()};
  std::copy_n(y.dims, y.rank, args.dims);
  for (int k = 0; k < 3; ++k) broadcast_strides(call.in(k), y, args.strides[k]);
  args.rank = coalesce<3>(y.rank, args.dims, args.strides);
  call.submit(where<C, T>, args);
}

template <class C>
void submit_by_width(Call& call) {
  switch (size_of(call.in(3).dtype)) {
    case 1: return submit<C, uint8_t>(call);
    case 4: return submit<C, uint32_t>(call);
    default: return submit<C, uint64_t>(call);
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
    call.require(false, "shapes %s, %s and %s do not broadcast to %s", shape_text(condition).c_str(), shape_text(a).c_str(),
                 shape_text(b).c_str(), shape_text(y).c_str());
  }
  call.require_apart(condition, y, "condition", "output");
  call.require_apart(a, y, "first choice", "output");
  call.require_apart(b, y, "second choice", "output");
  switch (condition.dtype) {
    case Dtype::float32: return submit_by_width<float>(call);
    case Dtype::float64: return submit_by_width<double>(call);
    case Dtype::int32: return submit_by_width<int32_t>(call);
    default: return submit_by_width<uint8_t>(call);
  }
}

}  // namespace receptive
