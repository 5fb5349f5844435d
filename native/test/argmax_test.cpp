#include "op_case.h"

namespace receptive::test::argmax_test {

namespace {

std::vector<double> argmax(const Operand& x, Dims y, double axis, Dtype real = Dtype::float32) {
  return OpRun("argmax", {x, int32_result(std::move(y))}, {axis}, real)[1].all();
}

}  // namespace

TEST(argmax, is_the_first_maximum_along_every_axis) {
  const Dims dims{3, 40, 50};
  const Operand x = integers(dims, 1);
  for (int axis = 0; axis < 3; ++axis) {
    Dims y = dims;
    y[static_cast<size_t>(axis)] = 1;
    expect_agreement("argmax", {x, int32_result(y)}, {double(axis)}, 0, "axis " + std::to_string(axis));
    const std::vector<double> found = argmax(x, y, axis);
    int64_t inner = 1;
    for (size_t i = static_cast<size_t>(axis) + 1; i < 3; ++i) inner *= dims[i];
    const int64_t length = dims[static_cast<size_t>(axis)];
    for (int64_t i = 0; i < static_cast<int64_t>(found.size()); ++i) {
      const auto at = [&](int64_t k) { return x.values[static_cast<size_t>((i / inner * length + k) * inner + i % inner)]; };
      int64_t best = 0;
      for (int64_t k = 0; k < length; ++k) best = at(k) > at(best) ? k : best;
      ASSERT_EQ(found[static_cast<size_t>(i)], static_cast<double>(best)) << "axis " << axis << " at " << i;
    }
  }
}

TEST(argmax, counts_nan_as_the_greatest) {
  for (const Dtype real : {Dtype::float32, Dtype::float64}) {
    EXPECT_EQ(argmax(values({4}, {1, NAN, INFINITY, NAN}), {}, 0, real), std::vector<double>{1});
    EXPECT_EQ(argmax(values({3}, {-INFINITY, -INFINITY, -INFINITY}), {}, 0, real), std::vector<double>{0});
  }
}

TEST(argmax, of_integers) {
  EXPECT_EQ(argmax(int32s({2, 3}, {-5, -2, -2, 7, 0, 7}), {2}, 1), (std::vector<double>{1, 0}));
  EXPECT_EQ(argmax(bytes({2, 3}, {0, 255, 3, 200, 100, 0}), {3}, 0), (std::vector<double>{1, 0, 0}));
}

TEST(argmax, refuses_what_does_not_fit) {
  const Operand x = reals({4, 3}, 1);
  expect_refused("argmax", {x, int32_result({3})}, {1}, "shape");
  expect_refused("argmax", {x, result({4})}, {1}, "expected int32");
  expect_refused("argmax", {x, int32_result({4})}, {2}, "attribute 0");
  expect_refused("argmax", {x, int32_result({4})}, {0.5}, "attribute 0");
  expect_refused("argmax", {reals({}, 1), int32_result({})}, {0}, "scalar");
  expect_refused("argmax", {reals({4, 0}, 1), int32_result({4})}, {1}, "axis 1");
}

}  // namespace receptive::test::argmax_test
