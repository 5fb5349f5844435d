// Elementwise functions of one tensor: y = f(x), and their gradients.
#pragma once

#include "../runtime/context.h"

namespace receptive {

enum class Unary : int32_t { neg, abs, exp, log, sqrt, square, relu, sigmoid, tanh, hardtanh, count };

// How many parameters p a function takes. hardtanh: the ends low and high of the interval x is brought into.
constexpr int parameters_of(Unary kind) { return kind == Unary::hardtanh ? 2 : 0; }

template <class T>
struct UnaryArgs {
  Unary kind;
  int64_t size;
  const T* x;
  T* y;
  double p[2] = {};
};

// dx = g * f'(x), told from x or y, whichever the function's derivative is written in: y for exp, sqrt, relu, sigmoid, tanh, hardtanh;
// x for abs, log, square; neg needs neither.
template <class T>
struct UnaryBackwardArgs {
  Unary kind;
  int64_t size;
  const T* saved;
  const T* g;
  T* dx;
  double p[2] = {};
};

namespace reference {
template <class T>
void unary(const UnaryArgs<T>&, Context&);
template <class T>
void unary_backward(const UnaryBackwardArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
