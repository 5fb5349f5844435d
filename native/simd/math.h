// Transcendental functions over Vec, by range reduction and polynomial. Relative errors are below 3e-7 unless another bound is stated
// (tested over the range). Coefficients of polynomials that are no series are minimax in the relative error.
#pragma once
#include <math.h>

#include "vec.h"

namespace receptive::RECEPTIVE_ISA {

// e^x. Below -87.3 the result is 0 (the denormals are flushed on kernel threads anyway), above 88.7 infinity; NaN stays NaN.
// x = n ln 2 + r, |r| <= ln 2 / 2; ln 2 in two parts (Cody and Waite); e^r by its Taylor polynomial of degree 7.
RECEPTIVE_INLINE Vec exp(Vec x) {
  const Vec n = round_to_int(max(min(x, broadcast(88.8f)), broadcast(-87.8f)) * broadcast(1.44269504088896341f));
  Vec r = fma(n, broadcast(-0.693359375f), x);
  r = fma(n, broadcast(2.12194440e-4f), r);
  Vec p = broadcast(1.0f / 5040.0f);
  p = fma(p, r, broadcast(1.0f / 720.0f));
  p = fma(p, r, broadcast(1.0f / 120.0f));
  p = fma(p, r, broadcast(1.0f / 24.0f));
  p = fma(p, r, broadcast(1.0f / 6.0f));
  p = fma(p, r, broadcast(0.5f));
  p = fma(p, r, broadcast(1.0f));
  p = fma(p, r, broadcast(1.0f));
  // 2^128 is past the exponent field: scale in two steps.
  const Vec half = round_to_int(n * broadcast(0.5f));
  Vec y = p * exp2_of(half) * exp2_of(n - half);
  y = select(x < broadcast(-87.33654f), zero(), y);
  y = select(x > broadcast(88.72284f), broadcast(INFINITY), y);
  return select(x == x, y, x);
}

// Natural logarithm. 0 gives -infinity, a negative NaN; denormals count as 0.
// a = m 2^e with m in [sqrt(1/2), sqrt(2)); log(m) = 2 atanh(s), s = (m - 1) / (m + 1), by its series to s^11.
RECEPTIVE_INLINE Vec log(Vec a) {
  Vec m = mantissa_of(a);
  Vec e = exponent_of(a);
  const Mask low = m < broadcast(0.70710678118f);
  m = select(low, m + m, m);
  e = select(low, e - broadcast(1.0f), e);
  const Vec f = m - broadcast(1.0f);
  const Vec s = f / (m + broadcast(1.0f));
  const Vec t = s * s;
  Vec p = broadcast(2.0f / 11.0f);
  p = fma(p, t, broadcast(2.0f / 9.0f));
  p = fma(p, t, broadcast(2.0f / 7.0f));
  p = fma(p, t, broadcast(2.0f / 5.0f));
  p = fma(p, t, broadcast(2.0f / 3.0f));
  // log(m) = f - s (f - t p'): keeps the leading term exact near m = 1.
  Vec y = fma(e, broadcast(-2.12194440e-4f), zero() - s * (f - t * p));
  y = f + y;
  y = fma(e, broadcast(0.693359375f), y);
  y = select(a == broadcast(INFINITY), a, y);
  y = select(a < broadcast(1.17549435e-38f), broadcast(-INFINITY), y);
  y = select(a < zero(), broadcast(NAN), y);
  return select(a == a, y, a);
}

RECEPTIVE_INLINE Vec sigmoid(Vec x) { return broadcast(1.0f) / (broadcast(1.0f) + exp(zero() - x)); }

// tanh(x) = 1 - 2 / (e^2x + 1); near zero the difference cancels, so there its odd Taylor polynomial.
RECEPTIVE_INLINE Vec tanh(Vec x) {
  const Vec big = broadcast(1.0f) - broadcast(2.0f) / (exp(x + x) + broadcast(1.0f));
  const Vec t = x * x;
  Vec p = broadcast(21844.0f / 6081075.0f);
  p = fma(p, t, broadcast(-1382.0f / 155925.0f));
  p = fma(p, t, broadcast(62.0f / 2835.0f));
  p = fma(p, t, broadcast(-17.0f / 315.0f));
  p = fma(p, t, broadcast(2.0f / 15.0f));
  p = fma(p, t, broadcast(-1.0f / 3.0f));
  const Vec small = fma(p * t, x, x);
  return select(abs(x) < broadcast(0.5f), small, big);
}

// e^x - 1 for x <= 0: by the exponential, and where that would cancel, above -1, by a polynomial.
RECEPTIVE_INLINE Vec expm1(Vec x) {
  Vec p = broadcast(1.37007723e-4f);
  p = fma(p, x, broadcast(1.32376608e-3f));
  p = fma(p, x, broadcast(8.30023736e-3f));
  p = fma(p, x, broadcast(4.16589156e-2f));
  p = fma(p, x, broadcast(0.16666599f));
  p = fma(p, x, broadcast(0.5f));
  return select(x < broadcast(-1.0f), exp(x) - broadcast(1.0f), fma(p * x, x, x));
}

// log(1 + e^x) = max(x, 0) + log(1 + u), u = e^-|x|; log(1 + u) = 2 atanh(s), s = u / (2 + u) <= 1/3.
RECEPTIVE_INLINE Vec softplus(Vec x) {
  const Vec u = exp(zero() - abs(x));
  const Vec s = u / (u + broadcast(2.0f));
  const Vec t = s * s;
  Vec p = broadcast(0.23233562f);
  p = fma(p, t, broadcast(0.21704532f));
  p = fma(p, t, broadcast(0.285925f));
  p = fma(p, t, broadcast(0.39999703f));
  p = fma(p, t, broadcast(0.66666669f));
  return max(zero(), x) + fma(p * t, s, s + s);
}

// e^(-x²/2). x² would lose what the exponential then multiplies by x²: so x = h + l, h a multiple of 1/256, whose square is exact.
RECEPTIVE_INLINE Vec gauss(Vec x) {
  const Vec z = min(broadcast(14.0f), abs(x));  // beyond it the result is 0
  const Vec h = round_to_int(z * broadcast(256.0f)) * broadcast(1.0f / 256.0f);
  const Vec d = (h - z) * (h + z) * broadcast(0.5f);  // (h² - z²) / 2, at most 0.03
  Vec p = fma(d, broadcast(1.0f / 6.0f), broadcast(0.5f));
  p = fma(p, d, broadcast(1.0f));
  return exp(broadcast(-0.5f) * h * h) * fma(p, d, broadcast(1.0f));
}

// The normal distribution: its density at x, and the probability of a value below x, within 8e-7.
struct Normal {
  Vec density, below;
};
RECEPTIVE_INLINE Normal normal(Vec x) {
  // The tail beyond |x| is e^(-x²/2) times a function that falls as 1/|x|: a polynomial in u = 1 / (1 + 11/32 |x|).
  const Vec g = gauss(x), u = broadcast(1.0f) / fma(abs(x), broadcast(0.34375f), broadcast(1.0f));
  Vec p = broadcast(-2.80489009e-2f);
  p = fma(p, u, broadcast(0.144950449f));
  p = fma(p, u, broadcast(-0.273856491f));
  p = fma(p, u, broadcast(0.193217814f));
  p = fma(p, u, broadcast(-4.07865793e-2f));
  p = fma(p, u, broadcast(0.113242395f));
  p = fma(p, u, broadcast(0.1166026f));
  p = fma(p, u, broadcast(0.13755998f));
  p = fma(p, u, broadcast(0.137118727f));
  const Vec tail = g * u * p;
  return {g * broadcast(0.398942280f), select(x < zero(), tail, broadcast(1.0f) - tail)};
}

// The error function: by its odd polynomial up to 1, then by the normal distribution's tail.
RECEPTIVE_INLINE Vec erf(Vec x) {
  const Vec t = x * x;
  Vec p = broadcast(7.85386e-5f);
  p = fma(p, t, broadcast(-8.01019312e-4f));
  p = fma(p, t, broadcast(5.18832775e-3f));
  p = fma(p, t, broadcast(-2.6853811e-2f));
  p = fma(p, t, broadcast(0.112835854f));
  p = fma(p, t, broadcast(-0.37612626f));
  p = fma(p, t, broadcast(1.12837911f));
  const Vec z = abs(x);
  const Vec tail = normal(z * broadcast(-1.41421356f)).below;
  return select(z < broadcast(1.0f), x * p, copy_sign(broadcast(1.0f) - (tail + tail), x));
}

// The nearest integer, halves to even; the sign of zero stays. Beyond 2^23 every float is one.
RECEPTIVE_INLINE Vec round(Vec x) { return select(abs(x) < broadcast(8388608.0f), copy_sign(round_to_int(x), x), x); }
RECEPTIVE_INLINE Vec floor(Vec x) {
  const Vec r = round(x);
  return select(r > x, r - broadcast(1.0f), r);
}
RECEPTIVE_INLINE Vec ceil(Vec x) {
  const Vec r = round(x);
  return select(r < x, copy_sign(r + broadcast(1.0f), x), r);
}

}  // namespace receptive::RECEPTIVE_ISA
