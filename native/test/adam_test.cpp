#include "optimizer_cases.h"

namespace receptive::test::adam_test {

TEST(adam, agrees_with_the_reference_for_every_option) {
  for (const int64_t n : optimizer_sizes) {
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

}  // namespace receptive::test::adam_test
