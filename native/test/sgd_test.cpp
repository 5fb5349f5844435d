#include "optimizer_cases.h"

namespace receptive::test::sgd_test {

TEST(sgd, agrees_with_the_reference_for_every_option) {
  for (const int64_t n : optimizer_sizes) {
    const Dims d{n};
    for (const double decay : {0.0, 0.01}) {
      expect_agreement("sgd", {parameters(d), gradients(d), absent()}, {0.1, 0, 0, decay, 0, 0}, 2e-7, "plain");
      for (const double dampening : {0.0, 0.2}) {
        for (const double nesterov : {0, 1}) {
          for (const double first : {0, 1}) {
            // a first step must not read the velocity: it is poison
            const Operand velocity = first ? result(d) : state(d, 3);
            expect_agreement("sgd", {parameters(d), gradients(d), velocity}, {0.1, 0.9, dampening, decay, nesterov, first}, 3e-7,
                             "momentum");
          }
        }
      }
    }
  }
}

TEST(sgd, two_steps_worked_by_hand) {
  const Cells param(Dtype::float64, {1}, {1}), grad(Dtype::float64, {1}, {0.5}), velocity(Dtype::float64, {1});
  run_op("sgd", {&param.tensor(), &grad.tensor(), &velocity.tensor()}, {0.1, 0.9, 0, 0, 0, 1});
  EXPECT_NEAR(param.at(0), 1 - 0.1 * 0.5, 1e-15);
  run_op("sgd", {&param.tensor(), &grad.tensor(), &velocity.tensor()}, {0.1, 0.9, 0, 0, 0, 0});
  EXPECT_NEAR(velocity.at(0), 0.9 * 0.5 + 0.5, 1e-15);
  EXPECT_NEAR(param.at(0), 0.95 - 0.1 * 0.95, 1e-15);
}

TEST(sgd, refuses_what_does_not_fit) {
  const Operand p = reals({4}, 1);
  const std::vector<double> attrs{0.1, 0.9, 0, 0, 0, 0};
  expect_refused("sgd", {p, reals({3}, 1), p}, attrs, "gradient");
  expect_refused("sgd", {p, int32s({4}, {1, 2, 3, 4}), p}, attrs, "gradient is int32");
  expect_refused("sgd", {p, p, reals({2, 2}, 1)}, attrs, "velocity");
  expect_refused("sgd", {p, p, absent()}, attrs, "needs a velocity");
  const Cells same(Dtype::float32, {4}), other(Dtype::float32, {4});
  EXPECT_THROW(run_op("sgd", {&same.tensor(), &same.tensor(), &other.tensor()}, attrs), OpError);
}

}  // namespace receptive::test::sgd_test
