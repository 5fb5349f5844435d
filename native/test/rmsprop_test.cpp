#include "optimizer_cases.h"

namespace receptive::test::rmsprop_test {

TEST(rmsprop, agrees_with_the_reference_for_every_option) {
  for (const int64_t n : optimizer_sizes) {
    const Dims d{n};
    // At most 0.3, so that the variance is well above 0: 1 / its root is not to be a matter of rounding.
    const Operand mean = updated(reals(d, 4, 0, 0.3f));
    for (const double decay : {0.0, 0.1}) {
      for (const bool centered : {false, true}) {
        for (const double momentum : {0.0, 0.9}) {
          expect_agreement("rmsprop",
                           {parameters(d), gradients(d), state(d, 3), centered ? mean : absent(), momentum > 0 ? state(d, 5) : absent()},
                           {0.01, 0.99, 1e-8, momentum, decay}, 1e-6, "rmsprop");
        }
      }
    }
  }
}

// With a constant gradient of 2 from nothing: the mean square is 4 (1 - alpha), so the first step is lr / √(1 - alpha).
TEST(rmsprop, two_steps_worked_by_hand) {
  each_isa([](const KernelTable&) {
    const Cells param(Dtype::float32, {1}, {1}), grad(Dtype::float32, {1}, {2}), square(Dtype::float32, {1}, {0}),
        velocity(Dtype::float32, {1}, {0});
    const std::vector<const Tensor*> tensors{&param.tensor(), &grad.tensor(), &square.tensor(), nullptr, &velocity.tensor()};
    run_op("rmsprop", tensors, {0.1, 0.75, 0, 0.5, 0});
    EXPECT_NEAR(square.at(0), 1, 1e-6);
    EXPECT_NEAR(param.at(0), 1 - 0.1 * 2, 1e-6);
    run_op("rmsprop", tensors, {0.1, 0.75, 0, 0.5, 0});
    EXPECT_NEAR(square.at(0), 1.75, 1e-6);
    EXPECT_NEAR(velocity.at(0), 0.5 * 2 + 2 / std::sqrt(1.75), 1e-6);
    EXPECT_NEAR(param.at(0), 0.8 - 0.1 * (1 + 2 / std::sqrt(1.75)), 1e-6);
  });
}

// The mean of a constant's square less the square of its mean is 0, and may be less by rounding: the root of that is not to be NaN.
TEST(rmsprop, a_variance_below_0_by_rounding_counts_as_0) {
  each_isa([](const KernelTable&) {
    const Dims d{17};
    const std::vector<double> g(17, 0.7), square(17, 0.48), mean(17, 0.7);
    const Cells param(Dtype::float32, d, std::vector<double>(17, 0)), grad(Dtype::float32, d, g), s(Dtype::float32, d, square),
        m(Dtype::float32, d, mean);
    run_op("rmsprop", {&param.tensor(), &grad.tensor(), &s.tensor(), &m.tensor(), nullptr}, {1, 0.99, 1, 0, 0});
    for (int i = 0; i < 17; ++i) EXPECT_NEAR(param.at(i), -0.7, 1e-6);
  });
}

TEST(rmsprop, refuses_what_does_not_fit) {
  const Operand p = reals({4}, 1);
  const std::vector<double> attrs{0.01, 0.99, 1e-8, 0, 0};
  expect_refused("rmsprop", {p, reals({3}, 1), p, absent(), absent()}, attrs, "gradient");
  expect_refused("rmsprop", {p, p, absent(), absent(), absent()}, attrs, "missing");
  expect_refused("rmsprop", {p, p, reals({2, 2}, 1), absent(), absent()}, attrs, "mean square");
  expect_refused("rmsprop", {p, p, p, reals({5}, 1), absent()}, attrs, "mean gradient");
  expect_refused("rmsprop", {p, p, p, p, int32s({4}, {1, 2, 3, 4})}, attrs, "velocity is int32");
  expect_refused("rmsprop", {p, p, p, absent(), absent()}, {0.01, 0.99, 1e-8, 0.9, 0}, "needs a velocity");
  expect_refused("rmsprop", {p, p, p, absent(), absent()}, {0.01, 1.5, 1e-8, 0, 0}, "attribute 1");
  const Cells same(Dtype::float32, {4}), grad(Dtype::float32, {4}), square(Dtype::float32, {4});
  EXPECT_THROW(run_op("rmsprop", {&same.tensor(), &grad.tensor(), &square.tensor(), nullptr, &same.tensor()}, attrs), OpError);
  EXPECT_THROW(run_op("rmsprop", {&same.tensor(), &grad.tensor(), &square.tensor(), &square.tensor(), nullptr}, attrs), OpError);
}

}  // namespace receptive::test::rmsprop_test
