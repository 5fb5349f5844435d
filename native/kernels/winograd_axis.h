// Minimal filtering along one axis, F(outputs, taps): `outputs` outputs of a filter of `taps` taps by `points` = outputs + taps - 1
// products (Winograd 1980; Lavin and Gray 2016). Filter and input are polynomials, evaluated at the points 0, ±p, …, infinity:
//
//   y = Aᵀ [ (G g) · (Bᵀ d) ]        input Bᵀ, kernel G, output Aᵀ
//
// and, transposed, the gradient of the filter: Gᵀ [ (A g_y) · (Bᵀ d) ], gradient A, weights Gᵀ. Bᵀ depends on the points alone, so that one
// input transform serves every filter length of a family.
//
// Six points: 0, ±√½, ±√2, ∞. They are balanced (their squares multiply to 1): with 256 channels the largest error of F(4x4,3x3) is a
// third of that of the textbook points 0, ±1, ±2, ∞.
#pragma once

#include "../simd/vec.h"

namespace receptive::RECEPTIVE_ISA {

// Values at 0, at p and -p for each of kPairs points p, and at infinity. fold() is evaluate() transposed.
template <int kPairs>
struct PointPairs {
  static constexpr int count = 2 * kPairs + 2;

  // out = values of the polynomial with the N coefficients `in`, those at ±p times p's scale.
  template <int N>
  RECEPTIVE_INLINE void evaluate(const float (&p)[kPairs], const float (&scale)[kPairs], const Vec* in, Vec* out) {
    out[0] = in[0];
    out[count - 1] = in[N - 1];
#pragma GCC unroll 4
    for (int i = 0; i < kPairs; ++i) {
      float power = scale[i];
      Vec half[2] = {broadcast(power) * in[0], zero()};  // the even and the odd terms
#pragma GCC unroll 8
      for (int j = 1; j < N; ++j) {
        power *= p[i];
        half[j % 2] = j == 1 ? broadcast(power) * in[j] : fma(broadcast(power), in[j], half[j % 2]);
      }
      out[1 + 2 * i] = half[0] + half[1];
      out[2 + 2 * i] = half[0] - half[1];
    }
  }

  // out[j] = sum over the points of in * point^j, those at ±p times p's scale, for j < N.
  template <int N>
  RECEPTIVE_INLINE void fold(const float (&p)[kPairs], const float (&scale)[kPairs], const Vec* in, Vec* out) {
    Vec half[2][kPairs];  // what even and odd powers multiply
    float power[kPairs];
#pragma GCC unroll 4
    for (int i = 0; i < kPairs; ++i) {
      half[0][i] = in[1 + 2 * i] + in[2 + 2 * i];
      half[1][i] = in[1 + 2 * i] - in[2 + 2 * i];
      power[i] = scale[i];
    }
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) {
      Vec sum = broadcast(power[0]) * half[j % 2][0];
#pragma GCC unroll 4
      for (int i = 1; i < kPairs; ++i) sum = fma(broadcast(power[i]), half[j % 2][i], sum);
      if (j == 0) sum = sum + in[0];
      if (j == N - 1) sum = sum + in[count - 1];
      out[j] = sum;
      for (int i = 0; i < kPairs; ++i) power[i] *= p[i];
    }
  }
};

// F(7 - taps, taps). Input names the one whose input transform is taken.
template <int kTaps>
struct SixPoints {
  using Input = SixPoints<3>;
  static constexpr int points = 6, taps = kTaps, outputs = points - kTaps + 1;
  static constexpr float a = 0.70710678118654752f, b = 1.41421356237309505f;  // √½ and √2

  RECEPTIVE_INLINE void input(const Vec (&d)[6], Vec (&v)[6]) {
    const Vec A = broadcast(a), B = broadcast(b);
    const Vec s = fma(broadcast(-2.0f), d[2], d[4]), t = A * d[3] - B * d[1];
    const Vec q = fma(broadcast(-0.5f), d[2], d[4]), r = B * d[3] - A * d[1];
    v[0] = fma(broadcast(-2.5f), d[2], d[0] + d[4]);
    v[1] = s + t;
    v[2] = s - t;
    v[3] = q + r;
    v[4] = q - r;
    v[5] = fma(broadcast(-2.5f), d[3], d[1] + d[5]);
  }
  RECEPTIVE_INLINE void kernel(const Vec (&g)[taps], Vec (&u)[6]) { Pairs::template evaluate<taps>(at, inverse, g, u); }
  RECEPTIVE_INLINE void output(const Vec (&m)[6], Vec (&y)[outputs]) { Pairs::template fold<outputs>(at, one, m, y); }
  RECEPTIVE_INLINE void gradient(const Vec (&g)[outputs], Vec (&m)[6]) { Pairs::template evaluate<outputs>(at, one, g, m); }
  RECEPTIVE_INLINE void weights(const Vec (&u)[6], Vec (&g)[taps]) { Pairs::template fold<taps>(at, inverse, u, g); }

 private:
  using Pairs = PointPairs<2>;
  static constexpr float at[2] = {a, b}, one[2] = {1, 1};
  static constexpr float inverse[2] = {-1.0f / 1.5f, 1.0f / 6.0f};  // 1 / product of the distances to the other points
};

// F(2, 3) with the points 0, ±1, ∞.
struct FourPoints {
  using Input = FourPoints;
  static constexpr int points = 4, taps = 3, outputs = 2;

  RECEPTIVE_INLINE void input(const Vec (&d)[4], Vec (&v)[4]) {
    v[0] = d[0] - d[2];
    v[1] = d[2] + d[1];
    v[2] = d[2] - d[1];
    v[3] = d[3] - d[1];
  }
  RECEPTIVE_INLINE void kernel(const Vec (&g)[3], Vec (&u)[4]) { Pairs::evaluate<3>(at, half, g, u); }
  RECEPTIVE_INLINE void output(const Vec (&m)[4], Vec (&y)[2]) { Pairs::fold<2>(at, one, m, y); }
  RECEPTIVE_INLINE void gradient(const Vec (&g)[2], Vec (&m)[4]) { Pairs::evaluate<2>(at, one, g, m); }
  RECEPTIVE_INLINE void weights(const Vec (&u)[4], Vec (&g)[3]) { Pairs::fold<3>(at, half, u, g); }

 private:
  using Pairs = PointPairs<1>;
  static constexpr float at[1] = {1}, one[1] = {1}, half[1] = {0.5f};
};

// The axis along which a kernel has one tap.
struct OnePoint {
  using Input = OnePoint;
  static constexpr int points = 1, taps = 1, outputs = 1;

  RECEPTIVE_INLINE void input(const Vec (&d)[1], Vec (&v)[1]) { v[0] = d[0]; }
  RECEPTIVE_INLINE void kernel(const Vec (&g)[1], Vec (&u)[1]) { u[0] = g[0]; }
  RECEPTIVE_INLINE void output(const Vec (&m)[1], Vec (&y)[1]) { y[0] = m[0]; }
  RECEPTIVE_INLINE void gradient(const Vec (&g)[1], Vec (&m)[1]) { m[0] = g[0]; }
  RECEPTIVE_INLINE void weights(const Vec (&u)[1], Vec (&g)[1]) { g[0] = u[0]; }
};

}  // namespace receptive::RECEPTIVE_ISA
