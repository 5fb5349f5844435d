#include "reduce.h"

#include <algorithm>
#include <limits>
#include <type_traits>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

template <class T>
void reduce(const ReduceArgs<T>& a, Context& context) {
  using Sum = std::conditional_t<std::is_integral_v<T>, int64_t, T>;
  using Limits = std::numeric_limits<Sum>;
  Sum* total = static_cast<Sum*>(context.scratch(static_cast<size_t>(a.y_size) * sizeof(Sum)));
  const Sum top = Limits::has_infinity ? Limits::infinity() : Limits::max();
  std::fill_n(total, a.y_size, a.kind == Reduce::max ? -top : a.kind == Reduce::min ? top : 0);
  for (int64_t i = 0; i < a.x_size; ++i) {
    int64_t at = 0, stride = 1, rest = i;
    for (int d = a.rank - 1; d >= 0; --d) {
      if (!a.reduced[d]) {
        at += rest % a.dims[d] * stride;
        stride *= a.dims[d];
      }
      rest /= a.dims[d];
    }
    const Sum x = a.x[i];
    switch (a.kind) {
      case Reduce::sum:
      case Reduce::mean: total[at] += x; break;
      case Reduce::max: total[at] = x > total[at] || x != x ? x : total[at]; break;  // NaN stays
      case Reduce::min: total[at] = x < total[at] || x != x ? x : total[at]; break;
      case Reduce::count: break;
    }
  }
  for (int64_t j = 0; j < a.y_size; ++j) {
    if constexpr (std::is_integral_v<T>) {
      a.y[j] = static_cast<T>(std::clamp<Sum>(total[j], std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
    } else {
      a.y[j] = a.kind == Reduce::mean ? total[j] / (static_cast<T>(a.x_size) / static_cast<T>(a.y_size)) : total[j];
    }
  }
}

template void reduce<float>(const ReduceArgs<float>&, Context&);
template void reduce<double>(const ReduceArgs<double>&, Context&);
template void reduce<int32_t>(const ReduceArgs<int32_t>&, Context&);

}  // namespace reference

void require_reduced_shape(const Call& call, const Tensor& x, uint32_t mask, const Tensor& y) {
  int axis = 0;
  bool fits = true;
  int dropped = 0;
  for (int i = 0; i < x.rank; ++i) dropped += mask >> i & 1;
  const bool kept = y.rank == x.rank;
  fits = kept || y.rank == x.rank - dropped;
  for (int i = 0; fits && i < x.rank; ++i) {
    const bool reduced = mask >> i & 1;
    if (reduced && !kept) continue;
    fits = y.dims[axis++] == (reduced ? 1 : x.dims[i]);
  }
  if (!fits) call.fail("output has shape %s, which is not %s reduced over axes %#x", shape_text(y).c_str(), shape_text(x).c_str(), mask);
}

namespace {

template <class T>
ReduceArgs<T> args_of(Reduce kind, uint32_t mask, const Tensor& x, const Tensor& y) {
  ReduceArgs<T> args{kind, 0, {}, {}, x.size(), y.size(), x.as<T>(), y.as<T>()};
  for (int i = 0; i < x.rank; ++i) {
    const bool reduced = mask >> i & 1;
    if (x.dims[i] == 1) continue;
    if (args.rank == 0 || args.reduced[args.rank - 1] != reduced) {
      args.dims[args.rank] = 1;
      args.reduced[args.rank++] = reduced;
    }
    args.dims[args.rank - 1] *= x.dims[i];
  }
  if (args.rank == 0) args.dims[args.rank++] = 1;
  return args;
}

}  // namespace

// x, y; kind, axis mask.
void record_reduce(Call& call) {
  const Tensor &x = call.in(0), &y = call.in(1);
  const Reduce kind = static_cast<Reduce>(call.integer(0, 0, static_cast<int64_t>(Reduce::count) - 1));
  const uint32_t mask = static_cast<uint32_t>(call.integer(1, 0, (int64_t{1} << x.rank) - 1));
  call.require(x.dtype != Dtype::uint8, "uint8 has no arithmetic: cast it first");
  call.require(x.dtype != Dtype::int32 || kind != Reduce::mean, "a mean of int32 is no int32: cast it first");
  call.require_dtype(y, x.dtype, "output");
  require_reduced_shape(call, x, mask, y);
  call.require_apart(x, y, "input", "output");
  const bool extreme = kind == Reduce::max || kind == Reduce::min;
  call.require(x.size() > 0 || y.size() == 0 || !extreme, "nothing has no extreme: an axis of the input is 0");
  switch (x.dtype) {
    case Dtype::float32: {
      const auto args = args_of<float>(kind, mask, x, y);
      return call.submit(x.size() > 0 ? kernels().reduce : reference::reduce<float>, args);
    }
    case Dtype::float64: return call.submit(reference::reduce<double>, args_of<double>(kind, mask, x, y));
    default: return call.submit(reference::reduce<int32_t>, args_of<int32_t>(kind, mask, x, y));
  }
}

}  // namespace receptive
