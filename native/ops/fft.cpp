#include "fft.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace receptive {

namespace {

constexpr double kPi = 3.14159265358979323846;

Complex times_minus_i(Complex a) { return {a.im, -a.re}; }
Complex scaled(double s, Complex a) { return {s * a.re, s * a.im}; }

// The transform of p numbers, in place.
template <int p>
void small(Complex* a);
template <>
void small<2>(Complex* a) {
  const Complex sum = a[0] + a[1];
  a[1] = a[0] - a[1];
  a[0] = sum;
}
template <>
void small<3>(Complex* a) {
  constexpr double sine = 0.86602540378443864676;  // of a third of a turn
  const Complex sum = a[1] + a[2], middle = a[0] - scaled(0.5, sum), turned = scaled(sine, times_minus_i(a[1] - a[2]));
  a[0] = a[0] + sum;
  a[1] = middle + turned;
  a[2] = middle - turned;
}
template <>
void small<4>(Complex* a) {
  const Complex even = a[0] + a[2], odd = a[1] + a[3], even_difference = a[0] - a[2], turned = times_minus_i(a[1] - a[3]);
  a[0] = even + odd;
  a[1] = even_difference + turned;
  a[2] = even - odd;
  a[3] = even_difference - turned;
}
template <>
void small<5>(Complex* a) {
  // Cosines and sines of a fifth and of two fifths of a turn.
  constexpr double c1 = 0.30901699437494742410, c2 = -0.80901699437494742410, s1 = 0.95105651629515357212, s2 = 0.58778525229247312917;
  const Complex sum1 = a[1] + a[4], sum2 = a[2] + a[3], difference1 = a[1] - a[4], difference2 = a[2] - a[3];
  const Complex middle1 = a[0] + scaled(c1, sum1) + scaled(c2, sum2), middle2 = a[0] + scaled(c2, sum1) + scaled(c1, sum2);
  const Complex turned1 = times_minus_i(scaled(s1, difference1) + scaled(s2, difference2));
  const Complex turned2 = times_minus_i(scaled(s2, difference1) - scaled(s1, difference2));
  a[0] = a[0] + sum1 + sum2;
  a[1] = middle1 + turned1;
  a[2] = middle2 + turned2;
  a[3] = middle2 - turned2;
  a[4] = middle1 - turned1;
}

// One step of Stockham's algorithm: p transforms of length n / p are left to do, on numbers that lie `stride` apart. The results of all
// steps come out in order. `step` is the distance of the twiddles of this length.
template <int p>
void pass(int64_t n, int64_t stride, int64_t step, const Complex* twiddles, const Complex* x, Complex* y) {
  const int64_t m = n / p;
  for (int64_t k = 0; k < m; ++k) {
    const Complex* from = x + stride * k;
    Complex* to = y + stride * p * k;
    Complex turn[p];
    for (int j = 0; j < p; ++j) turn[j] = twiddles[j * k * step];
    for (int64_t t = 0; t < stride; ++t) {
      Complex a[p];
      for (int j = 0; j < p; ++j) a[j] = from[stride * m * j + t];
      small<p>(a);
      to[t] = a[0];
      for (int j = 1; j < p; ++j) to[stride * j + t] = a[j] * turn[j];
    }
  }
}

}  // namespace

int64_t Fft::length_from(int64_t n) {
  int64_t best = 1;
  while (best < n) best *= 2;
  for (int64_t five = 1; five < best; five *= 5) {
    for (int64_t three = five; three < best; three *= 3) {
      int64_t length = three;
      while (length < n) length *= 2;
      if (length < best) best = length;
    }
  }
  return best;
}

Fft::Fft(int64_t n, Complex* twiddles) : n_(n), twiddles_(twiddles) {
  const auto twiddle = [&](int64_t k) {
    const double turn = -2 * kPi * static_cast<double>(k) / static_cast<double>(n);
    return Complex{std::cos(turn), std::sin(turn)};
  };
  // Sines and cosines are dear: √n are taken, and √n more, and their products fill the rest.
  const auto few = static_cast<int64_t>(std::sqrt(static_cast<double>(n))) + 1;
  for (int64_t k = 0; k < std::min(few, n); ++k) twiddles[k] = twiddle(k);
  for (int64_t begin = few; begin < n; begin += few) {
    const Complex turn = twiddle(begin);
    for (int64_t k = begin; k < std::min(begin + few, n); ++k) twiddles[k] = turn * twiddles[k - begin];
  }
}

void Fft::run(Complex* data, Complex* work, int64_t columns) const {
  Complex *x = data, *y = work;
  int64_t n = n_, stride = columns;
  while (n > 1) {
    const int p = n % 4 == 0 ? 4 : n % 2 == 0 ? 2 : n % 3 == 0 ? 3 : 5;
    switch (p) {
      case 2: pass<2>(n, stride, n_ / n, twiddles_, x, y); break;
      case 3: pass<3>(n, stride, n_ / n, twiddles_, x, y); break;
      case 4: pass<4>(n, stride, n_ / n, twiddles_, x, y); break;
      default: pass<5>(n, stride, n_ / n, twiddles_, x, y);
    }
    std::swap(x, y);
    n /= p;
    stride *= p;
  }
  if (x != data) std::memcpy(data, x, static_cast<size_t>(n_ * columns) * sizeof(Complex));
}

}  // namespace receptive
