#include "op_case.h"

namespace receptive::test {

namespace {

const int64_t sizes[] = {0, 1, 3, 15, 16, 17, 1000, 40001};

// Of one sign, so that no sum cancels and each result is right to the few roundings that made it.
Operand parameters(const Dims& d) { return updated(reals(d, 1, 1, 2)); }
Operand gradients(const Dims& d) { return reals(d, 2, 0.5f, 1); }
Operand state(const Dims& d, uint32_t seed) { return updated(reals(d, seed, 0.5f, 1)); }

}  // namespace

TEST(sgd, agrees_with_the_reference_for_every_option) {
  for (const int64_t n : sizes) {
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

TEST(adam, agrees_with_the_reference_for_every_option) {
  for (const int64_t n : sizes) {
    const Dims d{n};
    for (const double decay : {0.0, 0.1}) {
      for (const double decoupled : {0, 1}) {
        for (const double step : {1, 2, 1000}) {
          expect_agreement("adam", {parameters(d), gradients(d), state(d, 3), state(d, 4)},
                           {0.01, 0.9, 0.999, 1e-8, decay, decoupled, step}, 5e-7, "adam");
        }
      }
    }
  }
}

// After one step from nothing, m and v corrected are g and g²: the parameter moves by lr against the gradient's sign.
TEST(adam, the_first_step_is_of_length_lr) {
  each_isa([](const KernelTable&) {
    const Cells param(Dtype::float32, {2}, {1, 1}), grad(Dtype::float32, {2}, {1e-3, -50}), m(Dtype::float32, {2}, {0, 0}),
        v(Dtype::float32, {2}, {0, 0});
    run_op("adam", {&param.tensor(), &grad.tensor(), &m.tensor(), &v.tensor()}, {0.01, 0.9, 0.999, 1e-8, 0, 0, 1});
    EXPECT_NEAR(param.at(0), 0.99, 1e-6);
    EXPECT_NEAR(param.at(1), 1.01, 1e-6);
    EXPECT_NEAR(v.at(1), 2.5, 1e-5);
  });
}

TEST(adam, refuses_what_does_not_fit) {
  const Operand p = reals({4}, 1);
  const std::vector<double> attrs{0.01, 0.9, 0.999, 1e-8, 0, 0, 1};
  expect_refused("adam", {p, p, p, reals({5}, 1)}, attrs, "second moment");
  expect_refused("adam", {p, p, reals({5}, 1), p}, attrs, "first moment");
  expect_refused("adam", {p, p, absent(), p}, attrs, "missing");
  expect_refused("adam", {int32s({1}, {1}), p, p, p}, attrs, "int32");
  expect_refused("adam", {p, p, p, p}, {0.01, 1.5, 0.999, 1e-8, 0, 0, 1}, "attribute 1");
  expect_refused("adam", {p, p, p, p}, {0.01, 0.9, 0.999, 1e-8, 0, 0, 0}, "attribute 6");
}

}  // namespace receptive::test
