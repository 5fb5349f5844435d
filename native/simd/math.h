// Transcendental functions over Vec, by range reduction and polynomial, within 2 ulp over the ranges stated (tested).
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

}  // namespace receptive::RECEPTIVE_ISA
