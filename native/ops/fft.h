// The discrete Fourier transform, in double, of lengths 2^a 3^b 5^c.
#pragma once

#include <cstdint>

namespace receptive {

struct Complex {
  double re, im;
};

inline Complex operator+(Complex a, Complex b) { return {a.re + b.re, a.im + b.im}; }
inline Complex operator-(Complex a, Complex b) { return {a.re - b.re, a.im - b.im}; }
inline Complex operator*(Complex a, Complex b) { return {a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }

class Fft {
 public:
  // The least length of this kind that is not below n.
  static int64_t length_from(int64_t n);

  // twiddles: memory for n numbers, which is filled and must outlive the plan.
  Fft(int64_t n, Complex* twiddles);

  int64_t length() const { return n_; }

  // X[k] = Σ x[j] e^(-2πi jk / n), in place, of each column of a matrix [n, columns]. work is as large as the data.
  void run(Complex* data, Complex* work, int64_t columns) const;

 private:
  int64_t n_;
  const Complex* twiddles_;  // e^(-2πi k / n)
};

}  // namespace receptive
