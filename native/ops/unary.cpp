#include "unary.h"

#include <cmath>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

template <class T>
void unary(const UnaryArgs<T>& a, Context&) {
  const T p = static_cast<T>(a.p[0]), q = static_cast<T>(a.p[1]);
  for (int64_t i = 0; i < a.size; ++i) {
    const T x = a.x[i];
    switch (a.kind) {
      case Unary::neg: a.y[i] = -x; break;
      case Unary::abs: a.y[i] = std::fabs(x); break;
      case Unary::exp: a.y[i] = std::exp(x); break;
      case Unary::log: a.y[i] = std::log(x); break;
      case Unary::sqrt: a.y[i] = std::sqrt(x); break;
      case Unary::square: a.y[i] = x * x; break;
      case Unary::relu: a.y[i] = x < 0 ? 0 : x; break;
      case Unary::sigmoid: a.y[i] = 1 / (1 + std::exp(-x)); break;
      case Unary::tanh: a.y[i] = std::tanh(x); break;
      case Unary::hardtanh: a.y[i] = x < p ? p : x > q ? q : x; break;
      case Unary::count: break;
    }
  }
}

template <class T>
void unary_backward(const UnaryBackwardArgs<T>& a, Context&) {
  const T p = static_cast<T>(a.p[0]), q = static_cast<T>(a.p[1]);
  for (int64_t i = 0; i < a.size; ++i) {
    const T s = a.saved[i], g = a.g[i];
    switch (a.kind) {
      case Unary::neg: a.dx[i] = -g; break;
      case Unary::abs: a.dx[i] = s > 0 ? g : s < 0 ? -g : 0; break;
      case Unary::exp: a.dx[i] = g * s; break;
      case Unary::log: a.dx[i] = g / s; break;
      case Unary::sqrt: a.dx[i] = g / (2 * s); break;
      case Unary::square: a.dx[i] = 2 * g * s; break;
      case Unary::relu: a.dx[i] = s > 0 ? g : 0; break;
      case Unary::sigmoid: a.dx[i] = g * s * (1 - s); break;
      case Unary::tanh: a.dx[i] = g * (1 - s * s); break;
      case Unary::hardtanh: a.dx[i] = s > p && s < q ? g : 0; break;
      case Unary::count: break;
    }
  }
}

template void unary<double>(const UnaryArgs<double>&, Context&);
template void unary_backward<double>(const UnaryBackwardArgs<double>&, Context&);

}  // namespace reference

namespace {

// The first attribute; the others are its parameters.
Unary kind_of(const Call& call) {
  call.require(call.attrs > 0, "the function is missing");
  const auto kind = static_cast<Unary>(call.integer(0, 0, static_cast<int64_t>(Unary::count) - 1));
  call.require(call.attrs == 1 + parameters_of(kind), "function %d takes %d parameters, got %d", static_cast<int>(kind),
               parameters_of(kind), call.attrs - 1);
  if (kind == Unary::hardtanh) call.require(call.number(1) <= call.number(2), "interval from %g to %g", call.number(1), call.number(2));
  return kind;
}

template <class Args>
Args with_parameters(const Call& call, Args args) {
  for (int i = 1; i < call.attrs; ++i) args.p[i - 1] = call.number(i);
  return args;
}

}  // namespace

// x, y; kind, parameters. y may be x.
void record_unary(Call& call) {
  const Tensor &x = call.in(0), &y = call.in(1);
  const Unary kind = kind_of(call);
  call.require_float(x, "input");
  call.require_dtype(y, x.dtype, "output");
  call.require_same_shape(y, x, "output", "input");
  if (x.dtype == Dtype::float32) {
    call.submit(kernels().unary, with_parameters(call, UnaryArgs<float>{kind, x.size(), x.as<float>(), y.as<float>()}));
  } else {
    call.submit(reference::unary<double>, with_parameters(call, UnaryArgs<double>{kind, x.size(), x.as<double>(), y.as<double>()}));
  }
}

// saved, g, dx; kind, parameters. dx may be g.
void record_unary_backward(Call& call) {
  const Tensor &saved = call.in(0), &g = call.in(1), &dx = call.in(2);
  const Unary kind = kind_of(call);
  call.require_float(g, "gradient");
  call.require_dtype(saved, g.dtype, "saved tensor");
  call.require_dtype(dx, g.dtype, "output");
  call.require_same_shape(saved, g, "saved tensor", "gradient");
  call.require_same_shape(dx, g, "output", "gradient");
  if (g.dtype == Dtype::float32) {
    call.submit(kernels().unary_backward,
                with_parameters(call, UnaryBackwardArgs<float>{kind, g.size(), saved.as<float>(), g.as<float>(), dx.as<float>()}));
  } else {
    call.submit(reference::unary_backward<double>,
                with_parameters(call, UnaryBackwardArgs<double>{kind, g.size(), saved.as<double>(), g.as<double>(), dx.as<double>()}));
  }
}

}  // namespace receptive
