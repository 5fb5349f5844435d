#include "unary.h"

#include <cmath>
#include <limits>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

namespace {

constexpr double kPi = 3.14159265358979323846, kSqrt2 = 1.41421356237309504880;

template <class T>
T sigmoid(T x) {
  return 1 / (1 + std::exp(-x));
}

// Φ and φ, the normal distribution's probability below x and density at x.
template <class T>
T normal_below(T x) {
  return std::erfc(-x / static_cast<T>(kSqrt2)) / 2;
}
template <class T>
T normal_density(T x) {
  return std::exp(-x * x / 2) / static_cast<T>(std::sqrt(2 * kPi));
}

// What gelu_tanh takes Φ(x) for is σ of this; and its derivative.
template <class T>
T gelu_argument(T x) {
  return static_cast<T>(2 * std::sqrt(2 / kPi)) * (x + static_cast<T>(0.044715) * x * x * x);
}
template <class T>
T gelu_slope(T x) {
  return static_cast<T>(2 * std::sqrt(2 / kPi)) * (1 + 3 * static_cast<T>(0.044715) * x * x);
}

template <class T>
T value(Unary kind, T x, T p, T q) {
  switch (kind) {
    case Unary::neg: return -x;
    case Unary::abs: return std::fabs(x);
    case Unary::exp: return std::exp(x);
    case Unary::log: return std::log(x);
    case Unary::sqrt: return std::sqrt(x);
    case Unary::square: return x * x;
    case Unary::relu: return x < 0 ? 0 : x;
    case Unary::sigmoid: return sigmoid(x);
    case Unary::tanh: return std::tanh(x);
    case Unary::hardtanh:
    case Unary::clamp: return x < p ? p : x > q ? q : x;
    case Unary::leaky_relu: return x > 0 ? x : p * x;
    case Unary::elu: return x > 0 ? x : p * std::expm1(x);
    case Unary::gelu: return x * normal_below(x);
    case Unary::gelu_tanh: return x * sigmoid(gelu_argument(x));
    case Unary::silu: return x * sigmoid(x);
    case Unary::hard_swish: return x * value(Unary::hard_sigmoid, x, p, q);
    case Unary::hard_sigmoid: return x < -3 ? 0 : x > 3 ? 1 : (x + 3) / 6;
    case Unary::softplus: return p * x > q ? x : (std::fmax(p * x, 0) + std::log1p(std::exp(-std::fabs(p * x)))) / p;
    case Unary::reciprocal: return 1 / x;
    case Unary::rsqrt: return 1 / std::sqrt(x);
    case Unary::sin: return std::sin(x);
    case Unary::cos: return std::cos(x);
    case Unary::erf: return std::erf(x);
    case Unary::huber: return std::fabs(x) <= p ? x * x / 2 : p * (std::fabs(x) - p / 2);
    case Unary::xlogx: return x == 0 ? 0 : x * std::log(x);
    case Unary::sign: return x > 0 ? 1 : x < 0 ? -1 : x;
    case Unary::floor: return std::floor(x);
    case Unary::ceil: return std::ceil(x);
    case Unary::round: return std::nearbyint(x);
    case Unary::count: break;
  }
  return 0;
}

// f', where s is x or y, see UnaryBackwardArgs.
template <class T>
T derivative(Unary kind, T s, T p, T q) {
  switch (kind) {
    case Unary::neg: return -1;
    case Unary::abs: return s > 0 ? 1 : s < 0 ? -1 : 0;
    case Unary::exp: return s;
    case Unary::log: return 1 / s;
    case Unary::sqrt: return 1 / (2 * s);
    case Unary::square: return 2 * s;
    case Unary::relu: return s > 0 ? 1 : 0;
    case Unary::sigmoid: return s * (1 - s);
    case Unary::tanh: return 1 - s * s;
    case Unary::hardtanh: return s > p && s < q ? 1 : 0;
    case Unary::clamp: return s < p || s > q ? 0 : 1;
    case Unary::leaky_relu: return s > 0 ? 1 : p;
    case Unary::elu: return s > 0 ? 1 : s + p;
    case Unary::gelu: return normal_below(s) + s * normal_density(s);
    case Unary::gelu_tanh: {
      const T sigma = sigmoid(gelu_argument(s));
      return sigma + s * sigma * (1 - sigma) * gelu_slope(s);
    }
    case Unary::silu: return sigmoid(s) * (1 + s * (1 - sigmoid(s)));
    case Unary::hard_swish: return std::fabs(s) < 3 ? s / 3 + static_cast<T>(0.5) : s > 0 ? 1 : 0;
    case Unary::hard_sigmoid: return s > 0 && s < 1 ? static_cast<T>(1) / 6 : 0;
    case Unary::softplus: return p * s > q ? 1 : sigmoid(p * s);
    case Unary::reciprocal: return -s * s;
    case Unary::rsqrt: return -s * s * s / 2;
    case Unary::sin: return std::cos(s);
    case Unary::cos: return -std::sin(s);
    case Unary::erf: return 2 / static_cast<T>(std::sqrt(kPi)) * std::exp(-s * s);
    case Unary::huber: return s < -p ? -p : s > p ? p : s;
    case Unary::xlogx: return std::log(s) + 1;
    case Unary::sign:
    case Unary::floor:
    case Unary::ceil:
    case Unary::round:
    case Unary::count: break;
  }
  return 0;
}

}  // namespace

template <class T>
void unary(const UnaryArgs<T>& a, Context&) {
  for (int64_t i = 0; i < a.size; ++i) a.y[i] = value(a.kind, a.x[i], static_cast<T>(a.p), static_cast<T>(a.q));
}

template <class T>
void unary_backward(const UnaryBackwardArgs<T>& a, Context&) {
  for (int64_t i = 0; i < a.size; ++i) {
    const T slope = derivative(a.kind, a.saved[i], static_cast<T>(a.p), static_cast<T>(a.q));
    a.dx[i] = slope == 0 ? 0 : a.g[i] * slope;  // where the function is flat an infinite g does not count
  }
}

template void unary<double>(const UnaryArgs<double>&, Context&);
template void unary_backward<double>(const UnaryBackwardArgs<double>&, Context&);

}  // namespace reference

namespace {

// How many parameters a function takes: p, or p and q.
int parameters_of(Unary kind) {
  switch (kind) {
    case Unary::hardtanh:
    case Unary::clamp:
    case Unary::softplus: return 2;
    case Unary::leaky_relu:
    case Unary::elu:
    case Unary::huber: return 1;
    default: return 0;
  }
}

bool has_gradient(Unary kind) { return kind < Unary::sign; }

// The first attribute; the others are its parameters.
Unary kind_of(const Call& call) {
  call.require(call.attrs > 0, "the function is missing");
  const auto kind = static_cast<Unary>(call.integer(0, 0, static_cast<int64_t>(Unary::count) - 1));
  call.require(call.attrs == 1 + parameters_of(kind), "function %d takes %d parameters, got %d", static_cast<int>(kind),
               parameters_of(kind), call.attrs - 1);
  const double p = call.number(1), q = call.number(2);
  switch (kind) {
    case Unary::hardtanh:
    case Unary::clamp: call.require(p <= q, "the interval from %g to %g is none", p, q); break;
    case Unary::softplus: call.require(q == q, "the threshold is no number"); [[fallthrough]];
    case Unary::huber: call.number(1, std::numeric_limits<double>::min(), std::numeric_limits<double>::max()); break;
    case Unary::elu: call.number(1, 0, std::numeric_limits<double>::max()); break;
    case Unary::leaky_relu: call.number(1, std::numeric_limits<double>::lowest(), std::numeric_limits<double>::max()); break;
    default: break;
  }
  return kind;
}

}  // namespace

// x, y; kind, parameters. y may be x.
void record_unary(Call& call) {
  const Tensor &x = call.in(0), &y = call.in(1);
  const Unary kind = kind_of(call);
  const double p = call.number(1), q = call.number(2);
  call.require_float(x, "input");
  call.require_dtype(y, x.dtype, "output");
  call.require_same_shape(y, x, "output", "input");
  if (x.dtype == Dtype::float32) {
    call.submit(kernels().unary, UnaryArgs<float>{kind, x.size(), x.as<float>(), y.as<float>(), p, q});
  } else {
    call.submit(reference::unary<double>, UnaryArgs<double>{kind, x.size(), x.as<double>(), y.as<double>(), p, q});
  }
}

// saved, g, dx; kind, parameters. dx may be g.
void record_unary_backward(Call& call) {
  const Tensor &saved = call.in(0), &g = call.in(1), &dx = call.in(2);
  const Unary kind = kind_of(call);
  const double p = call.number(1), q = call.number(2);
  call.require(has_gradient(kind), "function %d has no gradient", static_cast<int>(kind));
  call.require_float(g, "gradient");
  call.require_dtype(saved, g.dtype, "saved tensor");
  call.require_dtype(dx, g.dtype, "output");
  call.require_same_shape(saved, g, "saved tensor", "gradient");
  call.require_same_shape(dx, g, "output", "gradient");
  if (g.dtype == Dtype::float32) {
    call.submit(kernels().unary_backward, UnaryBackwardArgs<float>{kind, g.size(), saved.as<float>(), g.as<float>(), dx.as<float>(), p, q});
  } else {
    call.submit(reference::unary_backward<double>,
                UnaryBackwardArgs<double>{kind, g.size(), saved.as<double>(), g.as<double>(), dx.as<double>(), p, q});
  }
}

}  // namespace receptive
