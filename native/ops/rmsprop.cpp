#include "rmsprop.h"

#include <algorithm>
#include <cmath>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

template <class T>
void rmsprop(const RmspropArgs<T>& a, Context&) {
  for (int64_t i = 0; i < a.size; ++i) {
    const T g = a.grad[i] + a.weight_decay * a.param[i];
    a.square[i] = a.alpha * a.square[i] + a.one_minus_alpha * g * g;
    T variance = a.square[i];
    if (a.mean) {
      a.mean[i] = a.alpha * a.mean[i] + a.one_minus_alpha * g;
      variance = std::max(variance - a.mean[i] * a.mean[i], T{0});  // below 0 by rounding only
    }
    T step = g / (std::sqrt(variance) + a.eps);
    if (a.velocity) step = a.velocity[i] = a.momentum * a.velocity[i] + step;
    a.param[i] -= a.lr * step;
  }
}

template void rmsprop<double>(const RmspropArgs<double>&, Context&);

}  // namespace reference

namespace {

template <class T>
RmspropArgs<T> args_of(const Call& call) {
  const auto number = [&](int i) { return static_cast<T>(call.number(i)); };
  const double alpha = call.number(1, 0, 1);
  RmspropArgs<T> args{};
  args.size = call.in(0).size();
  args.param = call.in(0).as<T>();
  args.grad = call.in(1).as<T>();
  args.square = call.in(2).as<T>();
  args.mean = call.optional(3) ? call.in(3).as<T>() : nullptr;
  args.velocity = call.optional(4) ? call.in(4).as<T>() : nullptr;
  args.lr = number(0);
  args.alpha = static_cast<T>(alpha);
  args.one_minus_alpha = static_cast<T>(1 - alpha);
  args.eps = number(2);
  args.momentum = number(3);
  args.weight_decay = number(4);
  return args;
}

}  // namespace

// param, grad, square, mean|0, velocity|0; lr, alpha, eps, momentum, weight decay.
void record_rmsprop(Call& call) {
  call.updates = 1u << 0 | 1u << 2 | 1u << 3 | 1u << 4;
  static const char* const names[] = {"parameter", "gradient", "mean square", "mean gradient", "velocity"};
  const Tensor& param = call.in(0);
  call.require_float(param, "parameter");
  for (int i = 1; i < 5; ++i) {
    if (i > 2 && !call.optional(i)) continue;
    call.require_dtype(call.in(i), param.dtype, names[i]);
    call.require_same_shape(call.in(i), param, names[i], "parameter");
    for (int j = 0; j < i; ++j) {
      if (call.optional(j)) call.require_apart(call.in(j), call.in(i), names[j], names[i]);
    }
  }
  call.require(call.optional(4) || call.number(3) == 0, "momentum %g needs a velocity", call.number(3));
  if (param.dtype == Dtype::float32) {
    call.submit(kernels().rmsprop, args_of<float>(call));
  } else {
    call.submit(reference::rmsprop<double>, args_of<double>(call));
  }
}

}  // namespace receptive
