// y = index of the first maximum along an axis; NaN counts as the greatest.
#include <limits>

#include "chunks.h"
#include "op.h"
#include "reduce.h"

namespace receptive {

namespace {

// [outer, length, inner] -> [outer, inner].
template <class T>
struct ArgmaxArgs {
  int64_t outer;
  int64_t length;
  int64_t inner;
  const T* x;
  int32_t* y;
};

template <class T>
void argmax(const ArgmaxArgs<T>& a, Context& context) {
  for_chunks(context, a.outer * a.inner, kChunk / a.length, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* x = a.x + i / a.inner * a.length * a.inner + i % a.inner;
      int64_t best = 0;
      for (int64_t k = 1; k < a.length; ++k) {
        const T value = x[k * a.inner], top = x[best * a.inner];
        if (value > top || (value != value && top == top)) best = k;
      }
      a.y[i] = static_cast<int32_t>(best);
    }
  });
}

template <class T>
void submit(Call& call, const Tensor& x, const Tensor& y, int axis) {
  ArgmaxArgs<T> args{1, x.dims[axis], 1, x.as<T>(), y.as<int32_t>()};
  for (int i = 0; i < axis; ++i) args.outer *= x.dims[i];
  for (int i = axis + 1; i < x.rank; ++i) args.inner *= x.dims[i];
  call.submit(argmax<T>, args);
}

}  // namespace

// x, y int32; axis.
void record_argmax(Call& call) {
  const Tensor &x = call.in(0), &y = call.in(1);
  call.require(x.rank > 0, "input is a scalar: it has no axis");
  const int axis = static_cast<int>(call.integer(0, 0, x.rank - 1));
  call.require_dtype(y, Dtype::int32, "output");
  require_reduced_shape(call, x, 1u << axis, y);
  call.require_apart(x, y, "input", "output");
  call.require(x.dims[axis] > 0 && x.dims[axis] <= std::numeric_limits<int32_t>::max(), "axis %d of the input is %lld", axis,
               static_cast<long long>(x.dims[axis]));
  switch (x.dtype) {
    case Dtype::float32: return submit<float>(call, x, y, axis);
    case Dtype::float64: return submit<double>(call, x, y, axis);
    case Dtype::int32: return submit<int32_t>(call, x, y, axis);
    case Dtype::uint8: return submit<uint8_t>(call, x, y, axis);
  }
}

}  // namespace receptive
