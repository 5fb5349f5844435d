// y = where the k largest, or smallest, elements of each row lie, best first and the first of equal ones before the others; NaN counts as
// the greatest.
#include <algorithm>
#include <limits>

#include "chunks.h"
#include "op.h"

namespace receptive {

namespace {

template <class T>
struct TopkArgs {
  int64_t rows;
  int64_t length;
  int64_t k;  // at least 1
  bool largest;
  const T* x;
  int32_t* y;
};

template <class T>
bool above(T a, T b) {
  return a > b || (a != a && b == b);
}

// The k best seen so far are kept as a heap with the worst of them in front.
template <class T>
void topk(const TopkArgs<T>& a, Context& context) {
  for_chunks(context, a.rows, kChunk / std::max<int64_t>(a.length, 1), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* x = a.x + row * a.length;
      int32_t *first = a.y + row * a.k, *last = first + a.k;
      const auto better = [&](int32_t i, int32_t j) {
        const bool up = a.largest ? above(x[i], x[j]) : above(x[j], x[i]);
        const bool down = a.largest ? above(x[j], x[i]) : above(x[i], x[j]);
        return up || (!down && i < j);
      };
      for (int64_t i = 0; i < a.k; ++i) first[i] = static_cast<int32_t>(i);
      std::make_heap(first, last, better);
      for (int32_t i = static_cast<int32_t>(a.k); i < a.length; ++i) {
        if (!better(i, *first)) continue;
        std::pop_heap(first, last, better);
        last[-1] = i;
        std::push_heap(first, last, better);
      }
      std::sort_heap(first, last, better);
    }
  });
}

template <class T>
void submit(Call& call, const Tensor& x, const Tensor& y) {
  const int last = x.rank - 1;
  TopkArgs<T> args{1, x.dims[last], y.dims[last], call.flag(0), x.as<T>(), y.as<int32_t>()};
  for (int i = 0; i < last; ++i) args.rows *= x.dims[i];
  if (args.k == 0) args.rows = 0;
  call.submit(topk<T>, args);
}

}  // namespace

// x [..., n], y int32 [..., k]; whether the largest are wanted.
void record_topk(Call& call) {
  const Tensor &x = call.in(0), &y = call.in(1);
  call.require(x.rank > 0, "input is a scalar: it has no axis");
  call.integer(0, 0, 1);
  call.require_dtype(y, Dtype::int32, "output");
  bool fits = y.rank == x.rank;
  for (int i = 0; fits && i < x.rank - 1; ++i) fits = y.dims[i] == x.dims[i];
  if (!fits) call.fail("output has shape %s, the input %s", shape_text(y).c_str(), shape_text(x).c_str());
  const int64_t length = x.dims[x.rank - 1], k = y.dims[x.rank - 1];
  call.require(k <= length && length <= std::numeric_limits<int32_t>::max(), "%lld of %lld elements are asked for",
               static_cast<long long>(k), static_cast<long long>(length));
  call.require_apart(x, y, "input", "output");
  switch (x.dtype) {
    case Dtype::float32: return submit<float>(call, x, y);
    case Dtype::float64: return submit<double>(call, x, y);
    case Dtype::int32: return submit<int32_t>(call, x, y);
    case Dtype::uint8: return submit<uint8_t>(call, x, y);
  }
}

}  // namespace receptive
