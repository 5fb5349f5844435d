#include "dropout.h"

#include <cmath>

#include "../kernels/table.h"
#include "op.h"
#include "stream_attrs.h"

namespace receptive {

namespace reference {

template <class T>
void dropout(const DropoutArgs<T>& a, Context&) {
  for (int64_t i = 0; i < a.size; ++i) {
    uint32_t words[4][1];
    philox(a.stream, i / 4, words);
    a.y[i] = words[i % 4][0] >= a.threshold ? a.x[i] * a.scale : 0;
  }
}

template void dropout<double>(const DropoutArgs<double>&, Context&);

}  // namespace reference

namespace {

template <class T>
DropoutArgs<T> args_of(const Call& call) {
  const Tensor &x = call.in(0), &y = call.in(1);
  const double p = call.number(0, 0, 1);
  const T scale = p < 1 ? static_cast<T>(1 / (1 - p)) : 0;
  return {x.size(), x.as<T>(), y.as<T>(), scale, static_cast<uint64_t>(std::ceil(p * 0x1p32)), stream_of(call, 1)};
}

}  // namespace

// x, y; p, seed low, seed high, offset low, offset high. y may be x.
void record_dropout(Call& call) {
  call.overwrites = 1u << 1;
  const Tensor &x = call.in(0), &y = call.in(1);
  call.require_float(x, "input");
  call.require_dtype(y, x.dtype, "output");
  call.require_same_shape(y, x, "output", "input");
  if (x.dtype == Dtype::float32) {
    call.submit(kernels().dropout, args_of<float>(call));
  } else {
    call.submit(reference::dropout<double>, args_of<double>(call));
  }
}

}  // namespace receptive
