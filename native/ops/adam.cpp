#include "adam.h"

#include <cmath>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

template <class T>
void adam(const AdamArgs<T>& a, Context&) {
  for (int64_t i = 0; i < a.size; ++i) {
    const T g = a.grad[i] + a.grad_decay * a.param[i];
    a.m[i] = a.beta1 * a.m[i] + a.one_minus_beta1 * g;
    a.v[i] = a.beta2 * a.v[i] + a.one_minus_beta2 * g * g;
    a.param[i] = a.param_scale * a.param[i] - a.step_size * a.m[i] / (std::sqrt(a.v[i]) * a.v_scale + a.eps);
  }
}

template void adam<double>(const AdamArgs<double>&, Context&);

}  // namespace reference

namespace {

template <class T>
AdamArgs<T> args_of(const Call& call) {
  const double lr = call.number(0), beta1 = call.number(1, 0, 1), beta2 = call.number(2, 0, 1), eps = call.number(3),
               decay = call.number(4);
  const bool decoupled = call.flag(5);
  const double step = static_cast<double>(call.integer(6, 1, int64_t{1} << 53));
  const auto t = [](double value) { return static_cast<T>(value); };
  AdamArgs<T> args{};
  args.size = call.in(0).size();
  args.param = call.in(0).as<T>();
  args.grad = call.in(1).as<T>();
  args.m = call.in(2).as<T>();
  args.v = call.in(3).as<T>();
  args.beta1 = t(beta1);
  args.beta2 = t(beta2);
  args.one_minus_beta1 = t(1 - beta1);
  args.one_minus_beta2 = t(1 - beta2);
  args.eps = t(eps);
  args.grad_decay = decoupled ? 0 : t(decay);
  args.param_scale = decoupled ? t(1 - lr * decay) : 1;
  args.step_size = t(lr / (1 - std::pow(beta1, step)));
  args.v_scale = t(1 / std::sqrt(1 - std::pow(beta2, step)));
  return args;
}

}  // namespace

// param, grad, m, v; lr, beta1, beta2, eps, weight decay, decoupled, step (from 1).
void record_adam(Call& call) {
  call.updates = 1u << 0 | 1u << 2 | 1u << 3;
  static const char* const names[] = {"parameter", "gradient", "first moment", "second moment"};
  const Tensor& param = call.in(0);
  call.require_float(param, "parameter");
  for (int i = 1; i < 4; ++i) {
    call.require_dtype(call.in(i), param.dtype, names[i]);
    call.require_same_shape(call.in(i), param, names[i], "parameter");
    for (int j = 0; j < i; ++j) call.require_apart(call.in(j), call.in(i), names[j], names[i]);
  }
  if (param.dtype == Dtype::float32) {
    call.submit(kernels().adam, args_of<float>(call));
  } else {
    call.submit(reference::adam<double>, args_of<double>(call));
  }
}

}  // namespace receptive
