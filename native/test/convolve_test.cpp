#include "op_case.h"

namespace receptive::test::convolve_test {

namespace {

constexpr double kAuto = 0, kDirect = 1, kFft = 2;

struct Case {
  Dims f, g, y;
  std::vector<double> start;  // of y in the full convolution, along each axis
};

// The sum as it is written, over the pairs of places that add up.
std::vector<double> convolved(const Case& c, bool flip, const std::vector<double>& f, const std::vector<double>& g) {
  const auto two = [](const Dims& d) { return d.size() == 2 ? d : Dims{1, d[0]}; };
  const Dims n = two(c.f), m = two(c.g), y = two(c.y);
  const int64_t rows = c.f.size() == 2 ? static_cast<int64_t>(c.start[0]) : 0, columns = static_cast<int64_t>(c.start.back());
  std::vector<double> out(static_cast<size_t>(y[0] * y[1]));
  for (int64_t p = 0; p < n[0]; ++p) {
    for (int64_t q = 0; q < n[1]; ++q) {
      for (int64_t k = 0; k < m[0]; ++k) {
        for (int64_t l = 0; l < m[1]; ++l) {
          const int64_t row = p + k - rows, column = q + l - columns, at = k * m[1] + l;
          if (row < 0 || row >= y[0] || column < 0 || column >= y[1]) continue;
          out[static_cast<size_t>(row * y[1] + column)] +=
              f[static_cast<size_t>(p * n[1] + q)] * g[static_cast<size_t>(flip ? m[0] * m[1] - 1 - at : at)];
        }
      }
    }
  }
  return out;
}

std::string name_of(const Case& c) {
  std::string text;
  for (const Dims* d : {&c.f, &c.g, &c.y}) {
    text += text.empty() ? "[" : " [";
    for (const int64_t n : *d) text += std::to_string(n) + ",";
    text += "]";
  }
  for (const double s : c.start) text += " from " + std::to_string(static_cast<int64_t>(s));
  return text;
}

std::vector<double> attrs(bool flip, double method, const Case& c) {
  return {static_cast<double>(flip), method, c.start[0], c.start.size() > 1 ? c.start[1] : 0};
}

const Case cases[] = {
    {{1}, {1}, {1}, {0}},
    {{7}, {3}, {9}, {0}},
    {{3}, {7}, {9}, {0}},
    {{8}, {3}, {8}, {1}},
    {{3}, {8}, {3}, {3}},
    {{9}, {4}, {6}, {3}},
    {{1}, {17}, {17}, {0}},
    {{520}, {31}, {550}, {0}},
    {{1500}, {5}, {1504}, {0}},
    {{5}, {1500}, {1496}, {4}},
    {{3000}, {40}, {3000}, {19}},  // in blocks
    {{2000}, {2000}, {3999}, {0}},
    // windows that reach beyond, and that miss
    {{5}, {3}, {20}, {-6}},
    {{5}, {3}, {4}, {-3}},
    {{5}, {3}, {4}, {6}},
    {{5}, {3}, {4}, {-9}},
    {{5}, {3}, {4}, {7}},
    {{5}, {3}, {0}, {0}},
    // two axes
    {{1, 1}, {1, 1}, {1, 1}, {0, 0}},
    {{4, 5}, {2, 3}, {5, 7}, {0, 0}},
    {{2, 3}, {4, 5}, {5, 7}, {0, 0}},
    {{9, 8}, {3, 3}, {7, 6}, {2, 2}},
    {{6, 9}, {5, 2}, {6, 9}, {2, 0}},
    {{1, 30}, {4, 1}, {4, 30}, {0, 0}},
    {{30, 1}, {1, 4}, {30, 4}, {0, 0}},
    {{1, 40}, {1, 9}, {1, 48}, {0, 0}},
    {{5, 20}, {9, 4}, {13, 23}, {0, 0}},
    {{200, 20}, {5, 7}, {204, 26}, {0, 0}},  // in blocks
    {{40, 60}, {17, 30}, {40, 60}, {8, 14}},
    {{4, 5}, {2, 3}, {9, 20}, {-2, -6}},
    {{4, 5}, {2, 3}, {3, 3}, {-3, 1}},
    {{4, 5}, {2, 3}, {0, 7}, {0, 0}},
};

}  // namespace

TEST(convolve, direct_is_the_sum_and_fft_as_near_as_its_length_allows) {
  for (const Case& c : cases) {
    const Operand f = integers(c.f, 1), g = integers(c.g, 2);
    for (const bool flip : {false, true}) {
      const Cells expected(Dtype::float64, c.y, convolved(c, flip, f.values, g.values));
      for (const Dtype real : {Dtype::float32, Dtype::float64}) {
        const OpRun direct("convolve", {f, g, result(c.y)}, attrs(flip, kDirect, c), real);
        EXPECT_EQ(direct[2].all(), expected.all()) << name_of(c);
        direct[2].verify(name_of(c));
        const OpRun fft("convolve", {f, g, result(c.y)}, attrs(flip, kFft, c), real);
        EXPECT_LE(error_of(fft[2], expected), real == Dtype::float32 ? 1e-7 : 2e-14) << name_of(c);
        fft[2].verify(name_of(c));
      }
    }
  }
}

TEST(convolve, gives_the_same_bits_for_any_number_of_threads) {
  const int before = Pool::shared().threads();
  for (const Case& c :
       {Case{{40000}, {300}, {40299}, {0}}, Case{{300, 200}, {9, 7}, {308, 206}, {0, 0}}, Case{{5000}, {5000}, {9999}, {0}}}) {
    const Operand f = reals(c.f, 1), g = reals(c.g, 2);
    for (const double method : {kDirect, kFft}) {
      Pool::shared().set_threads(1);
      const OpRun one("convolve", {f, g, result(c.y)}, attrs(false, method, c), Dtype::float64);
      for (int threads = 2; threads <= 3; ++threads) {
        Pool::shared().set_threads(threads);
        const OpRun more("convolve", {f, g, result(c.y)}, attrs(false, method, c), Dtype::float64);
        EXPECT_TRUE(more[2].same_bytes(one[2])) << name_of(c) << " on " << threads;
      }
    }
  }
  Pool::shared().set_threads(before);
}

// Bits tell which method ran.
TEST(convolve, takes_the_method_that_is_estimated_to_be_faster) {
  const auto chooses = [](const Case& c) {
    const Operand f = reals(c.f, 1), g = reals(c.g, 2);
    const auto run = [&](double method) { return OpRun("convolve", {f, g, result(c.y)}, attrs(false, method, c), Dtype::float64); };
    const OpRun chosen = run(kAuto), direct = run(kDirect), fft = run(kFft);
    EXPECT_FALSE(direct[2].same_bytes(fft[2])) << name_of(c);
    return chosen[2].same_bytes(direct[2]) ? kDirect : chosen[2].same_bytes(fft[2]) ? kFft : -1;
  };
  EXPECT_EQ(chooses({{50}, {20}, {69}, {0}}), kDirect);
  EXPECT_EQ(chooses({{20000}, {10}, {20009}, {0}}), kDirect);
  EXPECT_EQ(chooses({{5000}, {5000}, {9999}, {0}}), kFft);
  EXPECT_EQ(chooses({{20000}, {2000}, {21999}, {0}}), kFft);
  EXPECT_EQ(chooses({{5000}, {5000}, {5}, {10}}), kDirect);  // few places are wanted
  EXPECT_EQ(chooses({{100, 100}, {3, 3}, {100, 100}, {1, 1}}), kDirect);
  EXPECT_EQ(chooses({{100, 100}, {50, 50}, {100, 100}, {24, 24}}), kFft);
}

TEST(convolve, refuses_what_does_not_fit) {
  const Operand f = reals({5}, 1), g = reals({3}, 2);
  expect_refused("convolve", {reals({}, 1), g, result({7})}, {0, 0, 0, 0}, "rank 1 or 2");
  expect_refused("convolve", {reals({2, 2, 2}, 1), g, result({7})}, {0, 0, 0, 0}, "rank 1 or 2");
  expect_refused("convolve", {f, reals({3, 1}, 2), result({7})}, {0, 0, 0, 0}, "second signal");
  expect_refused("convolve", {f, g, result({7, 1})}, {0, 0, 0, 0}, "output");
  expect_refused("convolve", {f, int32s({3}, {1, 2, 3}), result({7})}, {0, 0, 0, 0}, "second signal is int32");
  expect_refused("convolve", {reals({0}, 1), g, result({7})}, {0, 0, 0, 0}, "empty");
  expect_refused("convolve", {f, reals({0}, 1), result({7})}, {0, 0, 0, 0}, "empty");
  expect_refused("convolve", {f, g, result({7})}, {0, 3, 0, 0}, "attribute 1");
  expect_refused("convolve", {f, g, result({7})}, {0, 0, 0.5, 0}, "attribute 2");
  expect_refused("convolve", {reals({2, 2}, 1), reals({2, 2}, 1), result({3, 3})}, {0, 0, 0, 1e15}, "attribute 3");
}

}  // namespace receptive::test::convolve_test
