#include "op_case.h"

namespace receptive::test::topk_test {

namespace {

std::vector<double> topk(const Operand& x, Dims y, double largest, Dtype real = Dtype::float32) {
  return OpRun("topk", {x, int32_result(std::move(y))}, {largest}, real)[1].all();
}

}  // namespace

TEST(topk, is_the_beginning_of_each_sorted_row) {
  for (const int64_t length : {1, 7, 300}) {
    const Operand x = integers({90, length}, 1, -9, 9);  // with many equal ones
    for (const int64_t k : {int64_t{1}, std::min<int64_t>(length, 5), length}) {
      for (const double largest : {0.0, 1.0}) {
        expect_agreement("topk", {x, int32_result({90, k})}, {largest}, 0, "length " + std::to_string(length));
        const std::vector<double> found = topk(x, {90, k}, largest);
        for (int64_t row = 0; row < 90; ++row) {
          std::vector<int64_t> order(static_cast<size_t>(length));
          for (int64_t i = 0; i < length; ++i) order[static_cast<size_t>(i)] = i;
          const auto at = [&](int64_t i) { return x.values[static_cast<size_t>(row * length + i)] * (largest != 0 ? -1 : 1); };
          std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return at(i) < at(j); });
          for (int64_t i = 0; i < k; ++i) {
            ASSERT_EQ(found[static_cast<size_t>(row * k + i)], static_cast<double>(order[static_cast<size_t>(i)])) << row << " " << i;
          }
        }
      }
    }
  }
}

TEST(topk, counts_nan_as_the_greatest) {
  for (const Dtype real : {Dtype::float32, Dtype::float64}) {
    EXPECT_EQ(topk(values({4}, {1, NAN, INFINITY, NAN}), {3}, 1, real), (std::vector<double>{1, 3, 2}));
    EXPECT_EQ(topk(values({4}, {1, NAN, -INFINITY, NAN}), {4}, 0, real), (std::vector<double>{2, 0, 1, 3}));
  }
}

TEST(topk, of_integers_and_of_nothing) {
  EXPECT_EQ(topk(int32s({2, 3}, {-5, -2, -2, 7, 0, 7}), {2, 2}, 1), (std::vector<double>{1, 2, 0, 2}));
  EXPECT_EQ(topk(bytes({3}, {0, 255, 3}), {2}, 0), (std::vector<double>{0, 2}));
  EXPECT_EQ(topk(reals({3, 0}, 1), {3, 0}, 1), std::vector<double>{});
  EXPECT_EQ(topk(reals({3, 2}, 1), {3, 0}, 1), std::vector<double>{});
  EXPECT_EQ(topk(reals({0, 2}, 1), {0, 1}, 1), std::vector<double>{});
}

TEST(topk, refuses_what_does_not_fit) {
  const Operand x = reals({4, 3}, 1);
  expect_refused("topk", {x, int32_result({4, 4})}, {1}, "4 of 3");
  expect_refused("topk", {x, int32_result({3, 2})}, {1}, "shape");
  expect_refused("topk", {x, int32_result({4})}, {1}, "shape");
  expect_refused("topk", {x, result({4, 2})}, {1}, "expected int32");
  expect_refused("topk", {x, int32_result({4, 2})}, {2}, "attribute 0");
  expect_refused("topk", {reals({}, 1), int32_result({})}, {1}, "scalar");
}

}  // namespace receptive::test::topk_test
