#include "op_case.h"

namespace receptive::test {

namespace {

const Dims shapes[] = {{2, 1}, {2, 3}, {3, 16}, {5, 17}, {64, 64}, {65, 63}, {2, 7, 7, 6}, {3, 20, 20, 130}, {1, 200, 300, 3}, {70, 2000}};

}  // namespace

TEST(batch_norm, training_agrees_with_the_reference) {
  for (const Dims& shape : shapes) {
    const Dims c{shape.back()};
    for (const bool affine : {false, true}) {
      const Operand gamma = affine ? reals(c, 2, 0.5f, 2) : absent(), beta = affine ? reals(c, 3) : absent();
      const Operand mean = affine ? updated(reals(c, 4)) : absent(), var = affine ? updated(reals(c, 5, 0.5f, 2)) : absent();
      // Σ of kBlock terms, and a division by a deviation that may be small in two rows
      expect_agreement("batch_norm_train", {reals(shape, 1, -2, 3), gamma, beta, mean, var, result(shape), result(c), result(c)},
                       {0.1, 1e-5}, shape.size() == 2 && shape[0] < 4 ? 2e-5 : 2e-6,
                       "batch_norm_train of " + std::to_string(size_of_dims(shape)));
    }
  }
}

TEST(batch_norm, inference_agrees_with_the_reference) {
  for (const Dims& shape : shapes) {
    const Dims c{shape.back()};
    for (const bool affine : {false, true}) {
      const Operand gamma = affine ? reals(c, 2, 0.5f, 2) : absent(), beta = affine ? reals(c, 3) : absent();
      expect_agreement(
          "batch_norm_infer",
          {reals(shape, 1, -2, 3), gamma, beta, reals(c, 4), reals(c, 5, 0.5f, 2), result(shape), affine ? result(c) : absent()}, {1e-5},
          1e-6, "batch_norm_infer of " + std::to_string(size_of_dims(shape)));
    }
  }
}

TEST(batch_norm, gradients_agree_with_the_reference) {
  for (const Dims& shape : shapes) {
    const Dims c{shape.back()};
    for (const double training : {0, 1}) {
      for (const bool all : {false, true}) {
        const Operand gamma = all ? reals(c, 2, 0.5f, 2) : absent(), dparam = all ? result(c) : absent();
        expect_agreement("batch_norm_backward",
                         {reals(shape, 1, -2, 3), reals(shape, 6), gamma, reals(c, 4), reals(c, 5, 0.5f, 2), result(shape), dparam, dparam},
                         {training}, 3e-6, "batch_norm_backward of " + std::to_string(size_of_dims(shape)));
      }
      expect_agreement(
          "batch_norm_backward",
          {reals(shape, 1, -2, 3), reals(shape, 6), absent(), reals(c, 4), reals(c, 5, 0.5f, 2), absent(), result(c), absent()}, {training},
          3e-6, "only dgamma");
    }
  }
}

// A mean ten thousand times the deviation: squares of x would leave no digit of the variance.
TEST(batch_norm, a_large_mean_costs_no_digits) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(1e4f, 1);
  const Dims shape{8, 30, 30, 20}, c{20};
  std::vector<double> x(static_cast<size_t>(size_of_dims(shape)));
  for (double& v : x) v = normal(random);
  expect_agreement("batch_norm_train", {values(shape, x), absent(), absent(), absent(), absent(), result(shape), result(c), result(c)},
                   {0.1, 1e-5}, 2e-6, "mean 1e4");
}

TEST(batch_norm, refuses_what_does_not_fit) {
  const Dims x{4, 3}, c{3};
  const Operand in = reals(x, 1), per = reals(c, 2), four = reals({4}, 2);
  expect_refused("batch_norm_train", {in, four, absent(), absent(), absent(), result(x), result(c), result(c)}, {0.1, 1e-5}, "gamma");
  expect_refused("batch_norm_train", {in, absent(), absent(), four, absent(), result(x), result(c), result(c)}, {0.1, 1e-5},
                 "running mean");
  expect_refused("batch_norm_train", {in, absent(), absent(), absent(), absent(), result({4, 4}), result(c), result(c)}, {0.1, 1e-5},
                 "output");
  expect_refused("batch_norm_train", {in, absent(), absent(), absent(), absent(), result(x), absent(), result(c)}, {0.1, 1e-5}, "missing");
  expect_refused("batch_norm_train", {reals({3}, 1), absent(), absent(), absent(), absent(), result({3}), result(c), result(c)},
                 {0.1, 1e-5}, "rank");
  expect_refused("batch_norm_train", {reals({1, 3}, 1), absent(), absent(), absent(), absent(), result({1, 3}), result(c), result(c)},
                 {0.1, 1e-5}, "more than one value");
  expect_refused("batch_norm_infer", {in, absent(), absent(), absent(), per, result(x), absent()}, {1e-5}, "missing");
  expect_refused("batch_norm_infer", {in, absent(), absent(), per, four, result(x), absent()}, {1e-5}, "variance");
  expect_refused("batch_norm_backward", {in, reals({3, 4}, 1), absent(), per, per, result(x), absent(), absent()}, {1}, "gradient");
  expect_refused("batch_norm_backward", {in, in, absent(), per, per, result(x), result({4}), absent()}, {1}, "gamma's gradient");
}

}  // namespace receptive::test
