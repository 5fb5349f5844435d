#include "op_case.h"

namespace receptive::test::dropout_test {

TEST(dropout, agrees_with_the_reference_for_every_tail) {
  for (const int64_t n : {0, 1, 3, 15, 17, 63, 64, 65, 40001}) {
    for (const double p : {0.0, 0.25, 0.5, 0.999, 1.0}) {
      expect_agreement("dropout", {reals({n}, 1, 1, 2), result({n})}, {p, 11, 12, 13, 0}, 1e-7, "dropout");
    }
  }
}

TEST(dropout, keeps_the_share_it_should_and_scales_it) {
  const OpRun run("dropout", {values({100000}, std::vector<double>(100000, 1)), result({100000})}, {0.3, 5, 0, 0, 0}, Dtype::float32);
  int64_t kept = 0;
  for (const double y : run[1].all()) {
    if (y == 0) continue;
    EXPECT_FLOAT_EQ(static_cast<float>(y), 1 / 0.7f);
    ++kept;
  }
  EXPECT_NEAR(static_cast<double>(kept), 70000, 5 * std::sqrt(100000 * 0.3 * 0.7));
}

TEST(dropout, works_in_place) {
  const Cells x(Dtype::float32, {1000}, reals({1000}, 3, 1, 2).values), y(Dtype::float32, {1000}), same(Dtype::float32, {1000}, x.all());
  const std::vector<double> attrs{0.4, 1, 2, 3, 4};
  run_op("dropout", {&x.tensor(), &y.tensor()}, attrs);
  run_op("dropout", {&same.tensor(), &same.tensor()}, attrs);
  EXPECT_TRUE(same.same_bytes(y));
}

TEST(dropout, refuses_what_does_not_fit) {
  expect_refused("dropout", {reals({4}, 1), result({4})}, {1.5, 0, 0, 0, 0}, "attribute 0");
  expect_refused("dropout", {reals({4}, 1), result({4})}, {NAN, 0, 0, 0, 0}, "attribute 0");
  expect_refused("dropout", {reals({4}, 1), result({4})}, {0.5, -1, 0, 0, 0}, "attribute 1");
  expect_refused("dropout", {reals({4}, 1), result({4})}, {0.5, 0, 0, 0, 4294967296.0}, "attribute 4");
  expect_refused("dropout", {reals({4}, 1), result({2, 2})}, {0.5, 0, 0, 0, 0}, "shape");
}

}  // namespace receptive::test::dropout_test
