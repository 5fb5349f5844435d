// Elementwise functions: one pass, cut into fixed chunks; a partial vector at the end.
#include "../ops/unary.h"

#include "../simd/math.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

void unary(const UnaryArgs<float>&, Context&);
void unary_backward(const UnaryBackwardArgs<float>&, Context&);

template <class F>
RECEPTIVE_INLINE void map(const UnaryArgs<float>& a, Context& context, const F& f) {
  split(context, a.size, kElementGrain, Vec::width, [&](int64_t begin, int64_t end, int) {
    int64_t i = begin;
    for (; i + Vec::width <= end; i += Vec::width) store(a.y + i, f(load(a.x + i)));
    const int tail = static_cast<int>(end - i);
    if (tail > 0) store(a.y + i, f(load(a.x + i, tail)), tail);
  });
}

// 0 - x would give 0 for 0, where the sign must flip.
RECEPTIVE_INLINE Vec negated(Vec x) { return broadcast(-1.0f) * x; }

void unary(const UnaryArgs<float>& a, Context& context) {
  const Vec p = broadcast(static_cast<float>(a.p[0])), q = broadcast(static_cast<float>(a.p[1]));
  switch (a.kind) {
    case Unary::neg: return map(a, context, [](Vec x) { return negated(x); });
    case Unary::abs: return map(a, context, [](Vec x) { return abs(x); });
    case Unary::exp: return map(a, context, [](Vec x) { return exp(x); });
    case Unary::log: return map(a, context, [](Vec x) { return log(x); });
    case Unary::sqrt: return map(a, context, [](Vec x) { return sqrt(x); });
    case Unary::square: return map(a, context, [](Vec x) { return x * x; });
    // max and min in this order: NaN passes through
    case Unary::relu: return map(a, context, [](Vec x) { return max(zero(), x); });
    case Unary::sigmoid: return map(a, context, [](Vec x) { return sigmoid(x); });
    case Unary::tanh: return map(a, context, [](Vec x) { return tanh(x); });
    case Unary::hardtanh: return map(a, context, [=](Vec x) { return min(q, max(p, x)); });
    case Unary::count: return;
  }
}

template <class F>
RECEPTIVE_INLINE void map(const UnaryBackwardArgs<float>& a, Context& context, const F& f) {
  split(context, a.size, kElementGrain, Vec::width, [&](int64_t begin, int64_t end, int) {
    int64_t i = begin;
    for (; i + Vec::width <= end; i += Vec::width) store(a.dx + i, f(load(a.saved + i), load(a.g + i)));
    const int tail = static_cast<int>(end - i);
    if (tail > 0) store(a.dx + i, f(load(a.saved + i, tail), load(a.g + i, tail)), tail);
  });
}

void unary_backward(const UnaryBackwardArgs<float>& a, Context& context) {
  const Vec p = broadcast(static_cast<float>(a.p[0])), q = broadcast(static_cast<float>(a.p[1]));
  switch (a.kind) {
    case Unary::neg: return map(a, context, [](Vec, Vec g) { return negated(g); });
    case Unary::abs: return map(a, context, [](Vec s, Vec g) { return select(s > zero(), g, select(s < zero(), negated(g), zero())); });
    case Unary::exp: return map(a, context, [](Vec s, Vec g) { return g * s; });
    case Unary::log: return map(a, context, [](Vec s, Vec g) { return g / s; });
    case Unary::sqrt: return map(a, context, [](Vec s, Vec g) { return g / (s + s); });
    case Unary::square: return map(a, context, [](Vec s, Vec g) { return (g + g) * s; });
    case Unary::relu: return map(a, context, [](Vec s, Vec g) { return select(s > zero(), g, zero()); });
    case Unary::sigmoid: return map(a, context, [](Vec s, Vec g) { return g * s * (broadcast(1.0f) - s); });
    case Unary::tanh: return map(a, context, [](Vec s, Vec g) { return g * (broadcast(1.0f) - s * s); });
    case Unary::hardtanh: return map(a, context, [=](Vec s, Vec g) { return select(s > p, select(s < q, g, zero()), zero()); });
    case Unary::count: return;
  }
}

}  // namespace receptive::RECEPTIVE_ISA
