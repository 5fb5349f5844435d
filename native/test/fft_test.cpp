#include "../ops/fft.h"

#include <complex>

#include "support.h"

namespace receptive::test::fft_test {

namespace {

bool is_smooth(int64_t n) {
  for (const int p : {2, 3, 5}) {
    while (n % p == 0) n /= p;
  }
  return n == 1;
}

// max |out - ref| / max |ref| of the transform of each column of random numbers against the sum that defines it.
double error_of_transform(int64_t n, int64_t columns) {
  Buffer<double> parts(2 * n * columns), twiddle_parts(2 * n), work_parts(2 * n * columns);
  fill_reals(parts, static_cast<uint32_t>(n));
  const Buffer<double> input = parts;
  auto* data = reinterpret_cast<Complex*>(parts.data());
  Fft(n, reinterpret_cast<Complex*>(twiddle_parts.data())).run(data, reinterpret_cast<Complex*>(work_parts.data()), columns);
  std::vector<std::complex<double>> roots;  // of one
  for (int64_t j = 0; j < n; ++j)
    roots.push_back(std::polar(1.0, -2 * 3.14159265358979323846 * static_cast<double>(j) / static_cast<double>(n)));
  double worst = 0, scale = 0;
  for (int64_t c = 0; c < columns; ++c) {
    for (int64_t k = 0; k < n; ++k) {
      std::complex<double> sum = 0;
      for (int64_t j = 0; j < n; ++j) {
        const std::complex<double> x(input[2 * (j * columns + c)], input[2 * (j * columns + c) + 1]);
        sum += x * roots[static_cast<size_t>(j * k % n)];
      }
      const Complex out = data[k * columns + c];
      worst = std::max(worst, std::abs(sum - std::complex<double>(out.re, out.im)));
      scale = std::max(scale, std::abs(sum));
    }
  }
  parts.verify("data");
  work_parts.verify("work");
  twiddle_parts.verify("twiddles");
  return worst / scale;
}

}  // namespace

TEST(fft, is_the_sum_that_defines_it) {
  int lengths = 0;
  for (int64_t n = 1; n <= 200; ++n) {
    if (!is_smooth(n)) continue;
    ++lengths;
    EXPECT_LT(error_of_transform(n, 1), 2e-15) << n;
    EXPECT_LT(error_of_transform(n, 3), 2e-15) << n << ", 3 columns";
  }
  EXPECT_EQ(lengths, 46);
  for (const int64_t n : {1024, 1215, 3125, 2160}) EXPECT_LT(error_of_transform(n, 2), 4e-15) << n;
}

TEST(fft, takes_the_least_length_that_is_a_product_of_2_3_and_5) {
  int64_t expected = 1;
  for (int64_t n = 1; n <= 20000; ++n) {
    if (expected < n) {
      do ++expected;
      while (!is_smooth(expected));
    }
    ASSERT_EQ(Fft::length_from(n), expected) << n;
  }
  const int64_t large = Fft::length_from((int64_t{1} << 40) - 12345);
  EXPECT_TRUE(is_smooth(large));
  EXPECT_LE(large, int64_t{1} << 40);
}

}  // namespace receptive::test::fft_test
