#include "sgd.h"

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

template <class T>
void sgd(const SgdArgs<T>& a, Context&) {
  for (int64_t i = 0; i < a.size; ++i) {
    T step = a.grad[i] + a.weight_decay * a.param[i];
    if (a.velocity) {
      const T v = a.first ? step : a.momentum * a.velocity[i] + (1 - a.dampening) * step;
      a.velocity[i] = v;
      step = a.nesterov ? step + a.momentum * v : v;
    }
    a.param[i] -= a.lr * step;
  }
}

template void sgd<double>(const SgdArgs<double>&, Context&);

}  // namespace reference

namespace {

template <class T>
SgdArgs<T> args_of(const Call& call) {
  const Tensor &param = call.in(0), &grad = call.in(1), *velocity = call.optional(2);
  const auto number = [&](int i) { return static_cast<T>(call.number(i)); };
  return {param.size(), param.as<T>(), grad.as<T>(), velocity ? velocity->as<T>() : nullptr, number(0), number(1), number(2),
          number(3),    call.flag(4),  call.flag(5)};
}

}  // namespace

// param, grad, velocity|0; lr, momentum, dampening, weight decay, nesterov, first.
void record_sgd(Call& call) {
  call.updates = 1u << 0 | 1u << 2;
  const Tensor &param = call.in(0), &grad = call.in(1);
  call.require_float(param, "parameter");
  call.require_dtype(grad, param.dtype, "gradient");
  call.require_same_shape(grad, param, "gradient", "parameter");
  call.require_apart(param, grad, "parameter", "gradient");
  if (const Tensor* velocity = call.optional(2)) {
    call.require_dtype(*velocity, param.dtype, "velocity");
    call.require_same_shape(*velocity, param, "velocity", "parameter");
    call.require_apart(param, *velocity, "parameter", "velocity");
    call.require_apart(grad, *velocity, "gradient", "velocity");
  } else {
    call.require(call.number(1) == 0, "momentum %g needs a velocity", call.number(1));
  }
  if (param.dtype == Dtype::float32) {
    call.submit(kernels().sgd, args_of<float>(call));
  } else {
    call.submit(reference::sgd<double>, args_of<double>(call));
  }
}

}  // namespace receptive
