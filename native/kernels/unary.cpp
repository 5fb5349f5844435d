// Elementwise functions: one pass, cut into fixed chunks; a partial vector at the end. There are many of them: each is compiled as a loop
// over whole vectors, and the rest once for all.
#include "../ops/unary.h"

#include "../simd/math.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

void unary(const UnaryArgs<float>&, Context&);
void unary_backward(const UnaryBackwardArgs<float>&, Context&);

// y = f(a, b) over n elements, a multiple of Vec::width; b is null where f does not ask for it.
struct Loop {
  void (*run)(const void* f, const float* a, const float* b, float* y, int64_t n);
  const void* f;
};

static void spread(const Loop& loop, const float* a, const float* b, float* y, int64_t size, Context& context) {
  split(context, size, kElementGrain, Vec::width, [&](int64_t begin, int64_t end, int) {
    const int64_t whole = (end - begin) / Vec::width * Vec::width, last = begin + whole;
    loop.run(loop.f, a + begin, b ? b + begin : nullptr, y + begin, whole);
    const int tail = static_cast<int>(end - last);
    if (tail == 0) return;
    float of_a[Vec::width], of_b[Vec::width], of_y[Vec::width];
    store(of_a, load(a + last, tail));
    if (b) store(of_b, load(b + last, tail));
    loop.run(loop.f, of_a, of_b, of_y, Vec::width);
    store(y + last, load(of_y), tail);
  });
}

template <class F>
RECEPTIVE_INLINE void map(const UnaryArgs<float>& args, Context& context, const F& f) {
  const auto run = [](const void* own, const float* a, const float*, float* y, int64_t n) {
    const F g = *static_cast<const F*>(own);
    for (int64_t i = 0; i < n; i += Vec::width) store(y + i, g(load(a + i)));
  };
  spread({run, &f}, args.x, nullptr, args.y, args.size, context);
}

// 0 - x would give 0 for 0, where the sign must flip.
RECEPTIVE_INLINE Vec negated(Vec x) { return broadcast(-1.0f) * x; }

// x brought into [low, high]: in this order of the operands NaN passes through.
RECEPTIVE_INLINE Vec clamp(Vec x, Vec low, Vec high) { return min(high, max(low, x)); }

// (x + 3) brought into [0, 6]: six times the hard sigmoid.
RECEPTIVE_INLINE Vec hard_sigmoid6(Vec x) { return clamp(x + broadcast(3.0f), zero(), broadcast(6.0f)); }

// What gelu_tanh takes Φ(x) for is σ of this; and its derivative. The factors are 2 √(2/π), and that times 0.044715.
constexpr float kGelu = 1.59576912f, kGeluCubic = 0.0713548163f;
RECEPTIVE_INLINE Vec gelu_argument(Vec x) { return x * fma(x * x, broadcast(kGeluCubic), broadcast(kGelu)); }
RECEPTIVE_INLINE Vec gelu_slope(Vec x) { return fma(x * x, broadcast(3 * kGeluCubic), broadcast(kGelu)); }

// One number after the other: the C library's range reduction is right for numbers of any size.
template <class F>
RECEPTIVE_INLINE Vec each_lane(Vec x, const F& f) {
  float lanes[Vec::width];
  store(lanes, x);
  for (float& lane : lanes) lane = f(lane);
  return load(lanes);
}
RECEPTIVE_INLINE Vec sin(Vec x) {
  return each_lane(x, [](float lane) { return sinf(lane); });
}
RECEPTIVE_INLINE Vec cos(Vec x) {
  return each_lane(x, [](float lane) { return cosf(lane); });
}

void unary(const UnaryArgs<float>& a, Context& context) {
  const Vec one = broadcast(1.0f), p = broadcast(static_cast<float>(a.p)), q = broadcast(static_cast<float>(a.q));
  switch (a.kind) {
    case Unary::neg: return map(a, context, [](Vec x) { return negated(x); });
    case Unary::abs: return map(a, context, [](Vec x) { return abs(x); });
    case Unary::exp: return map(a, context, [](Vec x) { return exp(x); });
    case Unary::log: return map(a, context, [](Vec x) { return log(x); });
    case Unary::sqrt: return map(a, context, [](Vec x) { return sqrt(x); });
    case Unary::square: return map(a, context, [](Vec x) { return x * x; });
    case Unary::relu: return map(a, context, [](Vec x) { return max(zero(), x); });
    case Unary::sigmoid: return map(a, context, [](Vec x) { return sigmoid(x); });
    case Unary::tanh: return map(a, context, [](Vec x) { return tanh(x); });
    case Unary::hardtanh:
    case Unary::clamp: return map(a, context, [=](Vec x) { return clamp(x, p, q); });
    case Unary::leaky_relu: return map(a, context, [=](Vec x) { return select(x > zero(), x, p * x); });
    case Unary::elu: return map(a, context, [=](Vec x) { return select(x > zero(), x, p * expm1(x)); });
    case Unary::gelu: return map(a, context, [](Vec x) { return x * normal(x).below; });
    case Unary::gelu_tanh: return map(a, context, [](Vec x) { return x * sigmoid(gelu_argument(x)); });
    case Unary::silu: return map(a, context, [](Vec x) { return x * sigmoid(x); });
    case Unary::hard_swish: return map(a, context, [](Vec x) { return x * (hard_sigmoid6(x) / broadcast(6.0f)); });
    case Unary::hard_sigmoid: return map(a, context, [](Vec x) { return hard_sigmoid6(x) / broadcast(6.0f); });
    case Unary::softplus: {
      const Vec inverse = broadcast(static_cast<float>(1 / a.p));
      return map(a, context, [=](Vec x) { return select(p * x > q, x, softplus(p * x) * inverse); });
    }
    case Unary::reciprocal: return map(a, context, [=](Vec x) { return one / x; });
    case Unary::rsqrt: return map(a, context, [=](Vec x) { return one / sqrt(x); });
    case Unary::sin: return map(a, context, [](Vec x) { return sin(x); });
    case Unary::cos: return map(a, context, [](Vec x) { return cos(x); });
    case Unary::erf: return map(a, context, [](Vec x) { return erf(x); });
    case Unary::huber:
      return map(a, context, [=](Vec x) {
        const Vec inside = clamp(x, negated(p), p);
        return inside * (x - broadcast(0.5f) * inside);
      });
    case Unary::xlogx: {
      const Vec least = broadcast(1.17549435e-38f);  // log takes what is smaller for 0
      return map(a, context, [=](Vec x) { return x * log(select(x < zero(), x, max(least, x))); });
    }
    case Unary::sign: return map(a, context, [=](Vec x) { return select(abs(x) > zero(), copy_sign(one, x), x); });
    case Unary::floor: return map(a, context, [](Vec x) { return floor(x); });
    case Unary::ceil: return map(a, context, [](Vec x) { return ceil(x); });
    case Unary::round: return map(a, context, [](Vec x) { return round(x); });
    case Unary::count: return;
  }
}

template <class F>
RECEPTIVE_INLINE void map(const UnaryBackwardArgs<float>& args, Context& context, const F& f) {
  const auto run = [](const void* own, const float* a, const float* b, float* y, int64_t n) {
    const F g = *static_cast<const F*>(own);
    for (int64_t i = 0; i < n; i += Vec::width) store(y + i, g(load(a + i), load(b + i)));
  };
  spread({run, &f}, args.saved, args.g, args.dx, args.size, context);
}

void unary_backward(const UnaryBackwardArgs<float>& a, Context& context) {
  const Vec one = broadcast(1.0f), p = broadcast(static_cast<float>(a.p)), q = broadcast(static_cast<float>(a.q));
  switch (a.kind) {
    case Unary::neg: return map(a, context, [](Vec, Vec g) { return negated(g); });
    case Unary::abs: return map(a, context, [](Vec s, Vec g) { return select(s > zero(), g, select(s < zero(), negated(g), zero())); });
    case Unary::exp: return map(a, context, [](Vec s, Vec g) { return g * s; });
    case Unary::log: return map(a, context, [](Vec s, Vec g) { return g / s; });
    case Unary::sqrt: return map(a, context, [](Vec s, Vec g) { return g / (s + s); });
    case Unary::square: return map(a, context, [](Vec s, Vec g) { return (g + g) * s; });
    case Unary::relu: return map(a, context, [](Vec s, Vec g) { return select(s > zero(), g, zero()); });
    case Unary::sigmoid: return map(a, context, [=](Vec s, Vec g) { return g * s * (one - s); });
    case Unary::tanh: return map(a, context, [=](Vec s, Vec g) { return g * (one - s * s); });
    case Unary::hardtanh: return map(a, context, [=](Vec s, Vec g) { return select(s > p, select(s < q, g, zero()), zero()); });
    case Unary::clamp: return map(a, context, [=](Vec s, Vec g) { return select(s < p, zero(), select(s > q, zero(), g)); });
    case Unary::leaky_relu: return map(a, context, [=](Vec s, Vec g) { return select(s > zero(), g, p * g); });
    case Unary::elu: return map(a, context, [=](Vec s, Vec g) { return select(s > zero(), g, g * (s + p)); });
    case Unary::gelu:
      return map(a, context, [](Vec s, Vec g) {
        const Normal n = normal(s);
        return g * fma(s, n.density, n.below);
      });
    case Unary::gelu_tanh:
      return map(a, context, [=](Vec s, Vec g) {
        const Vec sigma = sigmoid(gelu_argument(s));
        return g * sigma * fma(s * (one - sigma), gelu_slope(s), one);
      });
    case Unary::silu:
      return map(a, context, [=](Vec s, Vec g) {
        const Vec sigma = sigmoid(s);
        return g * sigma * fma(s, one - sigma, one);
      });
    case Unary::hard_swish: {
      const Vec three = broadcast(3.0f), third = broadcast(1.0f / 3), half = broadcast(0.5f);
      return map(a, context, [=](Vec s, Vec g) { return select(abs(s) < three, g * fma(s, third, half), select(s > zero(), g, zero())); });
    }
    case Unary::hard_sigmoid: {
      const Vec sixth = broadcast(1.0f / 6);
      return map(a, context, [=](Vec s, Vec g) { return select(s > zero(), select(s < one, g * sixth, zero()), zero()); });
    }
    case Unary::softplus: return map(a, context, [=](Vec s, Vec g) { return select(p * s > q, g, g * sigmoid(p * s)); });
    case Unary::reciprocal: return map(a, context, [](Vec s, Vec g) { return negated(g) * (s * s); });
    case Unary::rsqrt: return map(a, context, [](Vec s, Vec g) { return broadcast(-0.5f) * g * (s * s * s); });
    case Unary::sin: return map(a, context, [](Vec s, Vec g) { return g * cos(s); });
    case Unary::cos: return map(a, context, [](Vec s, Vec g) { return negated(g) * sin(s); });
    case Unary::erf: {
      const Vec root2 = broadcast(1.41421356f), top = broadcast(1.12837917f);  // 2 / √π
      return map(a, context, [=](Vec s, Vec g) { return g * (top * gauss(root2 * s)); });
    }
    case Unary::huber: return map(a, context, [=](Vec s, Vec g) { return g * clamp(s, negated(p), p); });
    case Unary::xlogx: return map(a, context, [=](Vec s, Vec g) { return g * (log(s) + one); });
    case Unary::sign:
    case Unary::floor:
    case Unary::ceil:
    case Unary::round:
    case Unary::count: return;
  }
}

}  // namespace receptive::RECEPTIVE_ISA
