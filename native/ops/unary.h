// Elementwise functions of one tensor: y = f(x), and their gradients.
#pragma once

#include "../runtime/context.h"

namespace receptive {

// The numbers are those lib/ops knows the functions by. From sign on they have no gradient.
enum class Unary : int32_t {
  neg,
  abs,
  exp,
  log,
  sqrt,
  square,
  relu,
  sigmoid,
  tanh,
  hardtanh,      // p, q: x brought into [p, q]
  clamp,         // p, q: the same, but whose gradient is 1 at the ends
  leaky_relu,    // p: slope below 0
  elu,           // p >= 0: p (e^x - 1) below 0
  gelu,          // x Φ(x)
  gelu_tanh,     // Φ(x) taken as σ(2 √(2/π) (x + 0.044715 x³))
  silu,          // x σ(x)
  hard_swish,    // x hard_sigmoid(x)
  hard_sigmoid,  // x / 6 + 1/2 brought into [0, 1]
  softplus,      // p > 0, q: log(1 + e^(p x)) / p, and x where p x > q
  reciprocal,
  rsqrt,
  sin,
  cos,
  erf,
  huber,  // p > 0: x² / 2, and p (|x| - p / 2) beyond p
  xlogx,  // x log(x), 0 at 0
  sign,
  floor,
  ceil,
  round,  // halves to even
  count
};

template <class T>
struct UnaryArgs {
  Unary kind;
  int64_t size;
  const T* x;
  T* y;
  double p = 0, q = 0;
};

// dx = g f'(x), told from x or y, whichever the function's derivative is written in: y for exp, sqrt, relu, sigmoid, tanh, hardtanh,
// leaky_relu (x where the slope is negative), elu, hard_sigmoid, reciprocal and rsqrt, else x; neg needs neither.
template <class T>
struct UnaryBackwardArgs {
  Unary kind;
  int64_t size;
  const T* saved;
  const T* g;
  T* dx;
  double p = 0, q = 0;
};

namespace reference {
template <class T>
void unary(const UnaryArgs<T>&, Context&);
template <class T>
void unary_backward(const UnaryBackwardArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
