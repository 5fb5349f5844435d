#include "pool_cases.h"

namespace receptive::test::avg_pool2d_test {

namespace {

// Average pooling says besides whether padding counts.
std::vector<double> attributes(const PoolCase& c, bool count_padding) {
  std::vector<double> attrs = c.attrs;
  attrs.push_back(count_padding);
  return attrs;
}

std::vector<double> averages(double height, double width, const Dims& out, std::vector<double> attrs) {
  const Dims x{1, static_cast<int64_t>(height), static_cast<int64_t>(width), 1};
  return OpRun("avg_pool2d", {values(x, std::vector<double>(static_cast<size_t>(size_of_dims(x)), 12)), result(out)}, attrs,
               Dtype::float32)[1]
      .all();
}

}  // namespace

TEST(avg_pool2d, agrees_with_the_reference) {
  for (const PoolCase& c : pool_cases()) {
    for (const int64_t C : pool_channels) {
      for (const bool count_padding : {false, true}) {
        expect_agreement("avg_pool2d", {reals(c.x(C), 1), result(c.y(C))}, attributes(c, count_padding), 1e-6, c.name);
      }
    }
  }
}

TEST(avg_pool2d, gradient_agrees_with_the_reference) {
  for (const PoolCase& c : pool_cases()) {
    for (const int64_t C : pool_channels) {
      for (const bool count_padding : {false, true}) {
        expect_agreement("avg_pool2d_backward", {reals(c.y(C), 1), result(c.x(C))}, attributes(c, count_padding), 1e-6, c.name);
      }
    }
  }
}

TEST(avg_pool2d, adaptive_windows_agree_with_the_reference) {
  for (const AdaptiveCase& c : adaptive_cases()) {
    for (const int64_t C : pool_channels) {
      expect_agreement("adaptive_avg_pool2d", {reals(c.x(C), 1), result(c.y(C))}, {}, 1e-6, c.name);
      expect_agreement("adaptive_avg_pool2d_backward", {reals(c.y(C), 1), result(c.x(C))}, {}, 1e-6, c.name);
    }
  }
}

TEST(avg_pool2d, adaptive_windows_lie_where_they_should) {
  const OpRun run("adaptive_avg_pool2d", {values({1, 1, 5, 1}, {1, 2, 3, 4, 5}), result({1, 1, 3, 1})}, {}, Dtype::float32);
  EXPECT_EQ(run[1].all(), (std::vector<double>{1.5, 3, 4.5}));
}

TEST(avg_pool2d, counts_what_it_should) {
  // corners of a padded 3x3 window hold 4 cells of the image, edges 6
  EXPECT_EQ(averages(3, 3, {1, 3, 3, 1}, {3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 0}), std::vector<double>(9, 12));
  const std::vector<double> padded = averages(3, 3, {1, 3, 3, 1}, {3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  EXPECT_NEAR(padded[0], 12 * 4 / 9.0, 1e-5);
  EXPECT_NEAR(padded[1], 12 * 6 / 9.0, 1e-5);
  EXPECT_EQ(padded[4], 12);
  // taps apart: of the 3x3 cells 4 lie in the image
  const std::vector<double> dilated = averages(4, 4, {1, 1, 1, 1}, {3, 3, 1, 1, 1, 0, 0, 1, 2, 2, 1});
  EXPECT_NEAR(dilated[0], 12 * 4 / 9.0, 1e-5);
  // ceil mode: the last window passes the padding's end, and what lies beyond never counts
  EXPECT_EQ(averages(3, 3, {1, 2, 2, 1}, {2, 2, 2, 2, 0, 0, 0, 0, 1, 1, 1}), std::vector<double>(4, 12));
}

TEST(avg_pool2d, refuses_what_does_not_fit) {
  const std::vector<double> attrs{2, 2, 2, 2, 0, 0, 0, 0, 1, 1, 1};
  expect_refused("avg_pool2d", {reals({1, 6, 6, 3}, 1), result({1, 3, 4, 3})}, attrs, "width");
  expect_refused("avg_pool2d", {reals({1, 6, 6, 3}, 1), int32_result({1, 3, 3, 3})}, attrs, "output is int32");
  expect_refused("avg_pool2d_backward", {reals({1, 3, 3, 3}, 1), result({1, 6, 6, 4})}, attrs, "channels");
  expect_refused("avg_pool2d_backward", {reals({1, 3, 3, 3}, 1), result({1, 8, 6, 3})}, attrs, "height");
  expect_refused("adaptive_avg_pool2d", {reals({1, 6, 6, 3}, 1), result({1, 3, 0, 3})}, {}, "expected 1 to");
  expect_refused("adaptive_avg_pool2d", {reals({1, 6, 6, 3}, 1), int32_result({1, 3, 3, 3})}, {}, "output is int32");
  expect_refused("adaptive_avg_pool2d_backward", {reals({1, 3, 3, 3}, 1), result({2, 6, 6, 3})}, {}, "batch");
}

}  // namespace receptive::test::avg_pool2d_test
