#include "op_case.h"

namespace receptive::test::upsample_test {

namespace {

constexpr double nearest = 0, bilinear = 1, aligned = 2;

struct UpsampleCase {
  const char* name;
  int64_t N, H, W, OH, OW;
  std::vector<double> attrs;  // mode, scales

  Dims x(int64_t C) const { return {N, H, W, C}; }
  Dims y(int64_t C) const { return {N, OH, OW, C}; }
};

const std::vector<UpsampleCase>& cases() {
  static const std::vector<UpsampleCase> list = {
      {"twice", 2, 5, 7, 10, 14, {nearest, 0, 0}},
      {"twice, bilinear", 2, 5, 7, 10, 14, {bilinear, 0, 0}},
      {"twice, aligned", 2, 5, 7, 10, 14, {aligned, 0, 0}},
      {"down", 1, 13, 9, 4, 5, {nearest, 0, 0}},
      {"down, bilinear", 1, 13, 9, 4, 5, {bilinear, 0, 0}},
      {"down, aligned", 1, 13, 9, 4, 5, {aligned, 0, 0}},
      {"up and down", 1, 3, 11, 8, 2, {bilinear, 0, 0}},
      {"by scales", 1, 5, 6, 7, 4, {nearest, 1.5, 0.7}},
      {"by scales, bilinear", 1, 5, 6, 7, 4, {bilinear, 1.5, 0.7}},
      {"one cell", 2, 1, 1, 4, 3, {bilinear, 0, 0}},
      {"one cell, aligned", 2, 1, 1, 4, 3, {aligned, 0, 0}},
      {"to one cell", 1, 6, 5, 1, 1, {nearest, 0, 0}},
      {"to one cell, bilinear", 1, 6, 5, 1, 1, {bilinear, 0, 0}},
      {"to one cell, aligned", 1, 6, 5, 1, 1, {aligned, 0, 0}},
      {"the same size, bilinear", 1, 4, 5, 4, 5, {bilinear, 0, 0}},
      {"no images", 0, 4, 5, 8, 5, {bilinear, 0, 0}},
      {"many rows", 1, 130, 40, 300, 61, {bilinear, 0, 0}},
  };
  return list;
}

const int64_t channels[] = {1, 3, 15, 16, 17, 64};

// What output i reads of cell `at` of an axis: the formula of its definition, one weight at a time.
double weight(double mode, int64_t size, int64_t out, double scale, int64_t i, int64_t at) {
  const double ratio = scale == 0 ? static_cast<double>(size) / static_cast<double>(out) : 1 / scale, end = static_cast<double>(size - 1);
  if (mode == nearest) return std::min(std::floor(static_cast<double>(i) * ratio + 1e-9), end) == static_cast<double>(at);
  double place = mode == aligned ? (out > 1 ? static_cast<double>(i) * end / static_cast<double>(out - 1) : 0)
                                 : (static_cast<double>(i) + 0.5) * ratio - 0.5;
  place = std::min(std::max(place, 0.0), end);
  return std::max(0.0, 1 - std::fabs(place - static_cast<double>(at)));
}

std::vector<double> upsampled(const UpsampleCase& c, int64_t C, const std::vector<double>& x) {
  std::vector<double> y;
  for (int64_t n = 0; n < c.N; ++n) {
    for (int64_t i = 0; i < c.OH; ++i) {
      for (int64_t j = 0; j < c.OW; ++j) {
        for (int64_t k = 0; k < C; ++k) {
          double sum = 0;
          for (int64_t h = 0; h < c.H; ++h) {
            for (int64_t w = 0; w < c.W; ++w) {
              sum += weight(c.attrs[0], c.H, c.OH, c.attrs[1], i, h) * weight(c.attrs[0], c.W, c.OW, c.attrs[2], j, w) *
                     x[static_cast<size_t>(((n * c.H + h) * c.W + w) * C + k)];
            }
          }
          y.push_back(sum);
        }
      }
    }
  }
  return y;
}

}  // namespace

TEST(upsample, is_its_formula) {
  for (const UpsampleCase& c : cases()) {
    if (c.H > 100) continue;
    const Operand x = reals(c.x(3), 1);
    const OpRun run("upsample", {x, result(c.y(3))}, c.attrs, Dtype::float64);
    const std::vector<double> expected = upsampled(c, 3, x.values);
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(run[1].at(static_cast<int64_t>(i)), expected[i], 1e-12) << c.name;
  }
}

TEST(upsample, agrees_with_the_reference) {
  for (const UpsampleCase& c : cases()) {
    for (const int64_t C : channels) {
      expect_agreement("upsample", {reals(c.x(C), 1), result(c.y(C))}, c.attrs, c.attrs[0] == nearest ? 0 : 1e-6, c.name);
    }
  }
}

TEST(upsample, gradient_agrees_with_the_reference) {
  for (const UpsampleCase& c : cases()) {
    for (const int64_t C : channels) {
      expect_agreement("upsample_backward", {reals(c.y(C), 1), result(c.x(C))}, c.attrs, 1e-6, c.name);
    }
  }
}

TEST(upsample, gradient_is_the_adjoint) {
  for (const UpsampleCase& c : cases()) {
    const Operand x = reals(c.x(2), 1), g = reals(c.y(2), 2);
    const OpRun forward("upsample", {x, result(c.y(2))}, c.attrs, Dtype::float64);
    const OpRun backward("upsample_backward", {g, result(c.x(2))}, c.attrs, Dtype::float64);
    double left = 0, right = 0;
    for (size_t i = 0; i < g.values.size(); ++i) left += forward[1].at(static_cast<int64_t>(i)) * g.values[i];
    for (size_t i = 0; i < x.values.size(); ++i) right += backward[1].at(static_cast<int64_t>(i)) * x.values[i];
    EXPECT_NEAR(left, right, 1e-9) << c.name;
  }
}

// A cell that is not read is not multiplied by 0: infinity stays where it is.
TEST(upsample, reads_no_cell_of_weight_0) {
  const Operand x = values({1, 1, 3, 1}, {1, INFINITY, 2});
  const Dims y{1, 1, 5, 1};
  each_isa([&](const KernelTable&) {
    const OpRun run("upsample", {x, result(y)}, {aligned, 0, 0}, Dtype::float32);
    EXPECT_EQ(run[1].all(), (std::vector<double>{1, INFINITY, INFINITY, INFINITY, 2}));
  });
}

TEST(upsample, any_scale_stays_in_the_image) {
  for (const double mode : {nearest, bilinear, aligned}) {
    for (const double scale : {1e-308, 5e-324, 0.001, 1000.0, 1.7e308}) {
      const Dims x{1, 3, 4, 17}, y{1, 6, 5, 17};
      expect_agreement("upsample", {reals(x, 1), result(y)}, {mode, scale, scale}, 1e-6, "scale");
      expect_agreement("upsample_backward", {reals(y, 1), result(x)}, {mode, scale, scale}, 1e-6, "scale");
    }
  }
}

TEST(upsample, refuses_what_does_not_fit) {
  const Operand x = reals({1, 3, 4, 2}, 1);
  const Dims y{1, 6, 8, 2};
  const std::vector<double> attrs{bilinear, 0, 0};
  expect_refused("upsample", {x, result({2, 6, 8, 2})}, attrs, "batch");
  expect_refused("upsample", {x, result({1, 6, 8, 3})}, attrs, "channels");
  expect_refused("upsample", {x, result({1, 0, 8, 2})}, attrs, "rows and columns");
  expect_refused("upsample", {x, result({6, 8, 2})}, attrs, "rank 4");
  expect_refused("upsample", {x, int32_result(y)}, attrs, "output is int32");
  expect_refused("upsample", {x, result(y)}, {3, 0, 0}, "attribute 0");
  expect_refused("upsample", {x, result(y)}, {1, -1, 0}, "attribute 1");
  expect_refused("upsample", {x, result(y)}, {1, 0, INFINITY}, "attribute 2");
  expect_refused("upsample", {x, result(y)}, {1, NAN, 0}, "attribute 1");
  expect_refused("upsample_backward", {reals(y, 1), result({1, 3, 0, 2})}, attrs, "rows and columns");
  const Dims vast{0, 2147483648, 2147483648, 1};
  expect_agreement("upsample", {integers({0, 1, 1, 1}, 1), result(vast)}, attrs, 0, "nothing, of a vast size");
}

}  // namespace receptive::test::upsample_test
