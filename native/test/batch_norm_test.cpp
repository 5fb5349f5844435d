#include "op_case.h"
#include "products.h"

namespace receptive::test::batch_norm_test {

namespace {

const Dims shapes[] = {{2, 1}, {2, 3}, {3, 16}, {5, 17}, {64, 64}, {65, 63}, {2, 7, 7, 6}, {3, 20, 20, 130}, {1, 200, 300, 3}, {70, 2000}};

}  // namespace

// What follows in the same pass: nothing, a rectifier, one that has an upper end, each with and without a tensor added.
struct After {
  bool add;
  double low, high;
};
const After after[] = {{false, -HUGE_VAL, HUGE_VAL}, {true, -HUGE_VAL, HUGE_VAL}, {false, 0, HUGE_VAL},
                       {true, 0, HUGE_VAL},          {false, -0.25, 1},           {true, 0, 1}};

TEST(batch_norm, training_agrees_with_the_reference) {
  for (const Dims& shape : shapes) {
    const Dims c{shape.back()};
    for (const After& then : after) {
      for (const bool affine : {false, true}) {
        const Operand gamma = affine ? reals(c, 2, 0.5f, 2) : absent(), beta = affine ? reals(c, 3) : absent();
        const Operand mean = affine ? updated(reals(c, 4)) : absent(), var = affine ? updated(reals(c, 5, 0.5f, 2)) : absent();
        const Operand add = then.add ? reals(shape, 7) : absent();
        // Σ of kBlock terms, a division by a deviation that may be small in two rows, and values four times those that are left
        expect_agreement("batch_norm_train", {reals(shape, 1, -2, 3), gamma, beta, mean, var, add, result(shape), result(c), result(c)},
                         {0.1, 1e-5, then.low, then.high},
                         (shape.size() == 2 && shape[0] < 4 ? 2e-5 : 2e-6) * (then.high < HUGE_VAL ? 4 : 1),
                         "batch_norm_train of " + std::to_string(size_of_dims(shape)));
      }
    }
  }
}

TEST(batch_norm, inference_agrees_with_the_reference) {
  for (const Dims& shape : shapes) {
    const Dims c{shape.back()};
    for (const After& then : after) {
      for (const bool affine : {false, true}) {
        const Operand gamma = affine ? reals(c, 2, 0.5f, 2) : absent(), beta = affine ? reals(c, 3) : absent();
        expect_agreement("batch_norm_infer",
                         {reals(shape, 1, -2, 3), gamma, beta, reals(c, 4), reals(c, 5, 0.5f, 2), then.add ? reals(shape, 7) : absent(),
                          result(shape), affine ? result(c) : absent()},
                         {1e-5, then.low, then.high}, 1e-6, "batch_norm_infer of " + std::to_string(size_of_dims(shape)));
      }
    }
  }
}

// Where values are clipped they are multiples of 1/8 around statistics that are powers of two: no rounding decides on which side one lies.
TEST(batch_norm, gradients_agree_with_the_reference) {
  for (const Dims& shape : shapes) {
    const Dims c{shape.back()};
    std::vector<double> eighths(static_cast<size_t>(size_of_dims(shape)));
    std::mt19937 random(3);
    for (double& v : eighths) v = (static_cast<double>(random() % 64) - 31.5) / 8;
    const Operand clipped_x = values(shape, eighths), plain_x = reals(shape, 1, -2, 3), g = reals(shape, 6);
    const Operand added = reals(shape, 8, -1, 2), half = values(c, std::vector<double>(static_cast<size_t>(shape.back()), 0.5));
    for (const double training : {0, 1}) {
      for (const After& then : after) {
        const bool clips = then.low > -HUGE_VAL;
        if (then.add && !clips) continue;  // the gradient of what is added is the gradient itself
        for (const bool all : {false, true}) {
          const Operand x = clips ? clipped_x : plain_x, gamma = !all ? absent() : clips ? half : reals(c, 2, 0.5f, 2);
          const Operand beta = all ? half : absent(), dparam = all ? result(c) : absent();
          const Operand mean = clips ? half : reals(c, 4), invstd = clips ? half : reals(c, 5, 0.5f, 2);
          expect_agreement("batch_norm_backward",
                           {x, g, gamma, beta, mean, invstd, then.add ? added : absent(), result(shape), dparam, dparam,
                            then.add ? result(shape) : absent()},
                           {training, then.low, then.high}, 3e-6, "batch_norm_backward of " + std::to_string(size_of_dims(shape)));
        }
        expect_agreement("batch_norm_backward",
                         {clipped_x, g, absent(), absent(), half, half, then.add ? added : absent(), absent(), result(c), absent(),
                          then.add ? result(shape) : absent()},
                         {training, then.low, then.high}, 3e-6, "only dgamma");
        if (then.add) {
          expect_agreement("batch_norm_backward",
                           {clipped_x, g, absent(), absent(), half, half, added, result(shape), absent(), absent(), absent()},
                           {training, then.low, then.high}, 3e-6, "only dx, of a sum");
        }
      }
    }
  }
}

TEST(batch_norm, a_rectifier_without_an_upper_end_lets_through_the_gradient_of_infinity) {
  const Dims shape{3, 17}, c{17};
  std::vector<double> y(51);
  for (size_t i = 0; i < y.size(); ++i) y[i] = i % 4 == 0 ? INFINITY : i % 4 == 1 ? 0 : i % 4 == 2 ? NAN : 6;
  const Operand half = values(c, std::vector<double>(17, 0.5)), g = values(shape, std::vector<double>(51, 3));
  for (const double high : {HUGE_VAL, 6.0}) {
    const std::vector<Operand> operands{reals(shape, 1), g,        absent(), absent(),     half, half, values(shape, y),
                                        result(shape),   absent(), absent(), result(shape)};
    expect_agreement("batch_norm_backward", operands, {0, 0, high}, 0, "infinity");
    const OpRun run("batch_norm_backward", operands, {0, 0, high}, Dtype::float32);
    for (size_t i = 0; i < y.size(); ++i) {
      EXPECT_EQ(run[10].at(i), high == HUGE_VAL && (i % 4 == 0 || i % 4 == 3) ? 3 : 0);
    }
  }
}

// Tensors larger than a cache are written past it: see far.h.
TEST(batch_norm, agrees_where_tensors_are_far) {
  if (kCaseStride > 1) GTEST_SKIP() << "millions of elements";
  const Dims shape{1 << 18, 16}, c{16};
  expect_agreement("batch_norm_infer",
                   {reals(shape, 1, -2, 3), absent(), absent(), reals(c, 4), reals(c, 5, 0.5f, 2), absent(), result(shape), absent()},
                   {1e-5, 0, HUGE_VAL}, 1e-6, "far");
}

// A mean ten thousand times the deviation: squares of x would leave no digit of the variance.
TEST(batch_norm, a_large_mean_costs_no_digits) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(1e4f, 1);
  const Dims shape{8, 30, 30, 20}, c{20};
  std::vector<double> x(static_cast<size_t>(size_of_dims(shape)));
  for (double& v : x) v = normal(random);
  expect_agreement("batch_norm_train",
                   {values(shape, x), absent(), absent(), absent(), absent(), absent(), result(shape), result(c), result(c)},
                   {0.1, 1e-5, -HUGE_VAL, HUGE_VAL}, 2e-6, "mean 1e4");
}

TEST(batch_norm, refuses_what_does_not_fit) {
  const Dims x{4, 3}, c{3};
  const Operand in = reals(x, 1), per = reals(c, 2), four = reals({4}, 2), none = absent();
  const std::vector<double> train{0.1, 1e-5, 0, HUGE_VAL}, infer{1e-5, 0, HUGE_VAL}, backward{1, 0, HUGE_VAL};
  const auto trained = [&](std::vector<Operand> operands, std::vector<double> attrs, const std::string& reason) {
    expect_refused("batch_norm_train", operands, attrs, reason);
  };
  trained({in, four, none, none, none, none, result(x), result(c), result(c)}, train, "gamma");
  trained({in, none, none, four, none, none, result(x), result(c), result(c)}, train, "running mean");
  trained({in, none, none, none, none, reals({3, 4}, 1), result(x), result(c), result(c)}, train, "what is added");
  trained({in, none, none, none, none, none, result({4, 4}), result(c), result(c)}, train, "output");
  trained({in, none, none, none, none, none, result(x), none, result(c)}, train, "missing");
  trained({reals({3}, 1), none, none, none, none, none, result({3}), result(c), result(c)}, train, "rank");
  trained({reals({1, 3}, 1), none, none, none, none, none, result({1, 3}), result(c), result(c)}, train, "more than one value");
  trained({in, none, none, none, none, none, result(x), result(c), result(c)}, {0.1, 1e-5, 6, 0}, "low below high");
  trained({in, none, none, none, none, none, result(x), result(c), result(c)}, {0.1, 1e-5, NAN, 0}, "attribute 2");
  expect_refused("batch_norm_infer", {in, none, none, none, per, none, result(x), none}, infer, "missing");
  expect_refused("batch_norm_infer", {in, none, none, per, four, none, result(x), none}, infer, "variance");
  expect_refused("batch_norm_infer", {in, none, none, per, per, per, result(x), none}, infer, "what is added");
  const auto refused = [&](std::vector<Operand> operands, std::vector<double> attrs, const std::string& reason) {
    expect_refused("batch_norm_backward", operands, attrs, reason);
  };
  refused({in, reals({3, 4}, 1), none, none, per, per, none, result(x), none, none, none}, backward, "gradient");
  refused({in, in, none, none, per, per, none, result(x), result({4}), none, none}, backward, "gamma's gradient");
  refused({in, in, none, none, per, per, per, result(x), none, none, none}, backward, "output");
  refused({in, in, none, none, per, per, none, result(x), none, none, result(x)}, backward, "missing");
  refused({in, in, none, none, per, per, in, result(x), none, none, result(x)}, {1, -HUGE_VAL, HUGE_VAL}, "nothing is clipped");
}

}  // namespace receptive::test::batch_norm_test
