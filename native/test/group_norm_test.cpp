#include "op_case.h"

namespace receptive::test::group_norm_test {

namespace {

// samples, places, groups, depth
const Dims shapes[] = {
    // layer norm: runs of one group, of several, tails, and runs that are cut into pieces
    {1, 1, 1, 1},
    {3, 1, 1, 2},
    {5, 1, 1, 17},
    {2, 1, 1, 63},
    {4, 1, 1, 64},
    {70, 1, 1, 130},
    {300, 1, 1, 768},
    {2, 1, 1, 5000},
    {3, 1, 1, 70001},
    {4, 1, 3, 5},
    {130, 1, 4, 80},
    {2, 1, 2, 40000},
    // group norm and instance norm
    {2, 2, 1, 1},
    {1, 3, 2, 1},
    {2, 9, 3, 1},
    {3, 5, 1, 16},
    {2, 65, 2, 3},
    {2, 49, 4, 17},
    {4, 64, 8, 16},
    {40, 4, 2, 8},
    {2, 700, 1, 64},
    {2, 15000, 3, 1},
    {1, 3000, 5, 7},
    {3, 400, 2, 150},
    {2, 3, 2, 20000},
    // nothing
    {0, 1, 2, 3},
    {0, 2, 2, 3},
    {2, 1, 0, 3},
    {2, 0, 2, 3},
    {2, 3, 2, 0},
    {2, 3, 0, 3},
};

std::string name_of(const Dims& d) {
  std::string text;
  for (const int64_t n : d) text += (text.empty() ? "" : "x") + std::to_string(n);
  return text;
}
Dims channels(const Dims& d) { return {d[2], d[3]}; }
Dims statistics(const Dims& d) { return {d[0], d[2]}; }

}  // namespace

TEST(group_norm, agrees_with_the_reference) {
  for (const Dims& shape : shapes) {
    // Few values may have a deviation that is small beside what rounding took from them.
    const double bound = shape[1] * shape[3] < 8 ? 2e-5 : 2e-6;
    for (const bool affine : {false, true}) {
      const Operand gamma = affine ? reals(channels(shape), 2, 0.5f, 2) : absent(), beta = affine ? reals(channels(shape), 3) : absent();
      expect_agreement("group_norm",
                       {reals(shape, 1, -2, 3), gamma, beta, result(shape), result(statistics(shape)), result(statistics(shape))}, {1e-5},
                       bound, name_of(shape) + (affine ? ", affine" : ""));
    }
  }
}

TEST(group_norm, gradients_agree_with_the_reference) {
  for (const Dims& shape : shapes) {
    const Operand x = reals(shape, 1, -2, 3), g = reals(shape, 6), gamma = reals(channels(shape), 2, 0.5f, 2);
    const Operand mean = reals(statistics(shape), 4), invstd = reals(statistics(shape), 5, 0.5f, 2), dx = result(shape);
    const Operand dparam = result(channels(shape));
    expect_agreement("group_norm_backward", {x, g, gamma, mean, invstd, dx, dparam, dparam}, {}, 4e-6, name_of(shape));
    expect_agreement("group_norm_backward", {x, g, absent(), mean, invstd, dx, absent(), absent()}, {}, 4e-6, name_of(shape) + ", only dx");
    expect_agreement("group_norm_backward", {x, g, gamma, mean, invstd, absent(), dparam, absent()}, {}, 4e-6,
                     name_of(shape) + ", only dgamma");
    expect_agreement("group_norm_backward", {x, g, gamma, mean, invstd, absent(), absent(), dparam}, {}, 4e-6,
                     name_of(shape) + ", only dbeta");
  }
}

// The mean a thousand times the deviation, and one value a thousand times the others: squares of x, or of differences from that value,
// would leave few digits of the variance.
TEST(group_norm, neither_a_large_mean_nor_an_outlier_costs_digits) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(1e3f, 1);
  for (const Dims& shape : {Dims{2, 1, 1, 3000}, Dims{2, 30, 2, 20}}) {
    std::vector<double> x(static_cast<size_t>(size_of_dims(shape)));
    for (double& v : x) v = normal(random);
    expect_agreement("group_norm",
                     {values(shape, x), absent(), absent(), result(shape), result(statistics(shape)), result(statistics(shape))}, {1e-5},
                     2e-6, name_of(shape) + ", mean 1e3");
  }
  const Dims run{1, 1, 1, 1000};
  std::vector<double> x(1000);
  for (double& v : x) v = normal(random) - 1e3f;
  x[0] = 1e3f;
  expect_agreement("group_norm", {values(run, x), absent(), absent(), result(run), result(statistics(run)), result(statistics(run))},
                   {1e-5}, 3e-6, "an outlier");
}

// The output of a call may be its input, the gradient of x what came in: all sums are taken before.
TEST(group_norm, works_in_place) {
  each_isa([&](const KernelTable& table) {
    for (const Dims& d : {Dims{3, 1, 2, 40}, Dims{2, 1, 1, 70000}, Dims{3, 20, 2, 5}, Dims{2, 6000, 2, 5}}) {
      const int64_t n = size_of_dims(d), channels = d[2] * d[3], stats = d[0] * d[2];
      Buffer<float> x(n), g(n), y(n), dx(n), mean(stats), invstd(stats), gamma(channels, 1.5f), dgamma(channels), again(channels);
      fill_reals(x, 1);
      fill_reals(g, 2);
      KernelContext context;
      table.group_norm({d[0], d[1], d[2], d[3], x.data(), gamma.data(), nullptr, y.data(), mean.data(), invstd.data(), 1e-5}, context);
      const auto backward = [&](float* to, float* to_gamma) {
        table.group_norm_backward(
            {d[0], d[1], d[2], d[3], x.data(), g.data(), gamma.data(), mean.data(), invstd.data(), to, to_gamma, nullptr}, context);
      };
      backward(dx.data(), dgamma.data());
      backward(g.data(), again.data());
      EXPECT_TRUE(same_bits(g, dx) && same_bits(again, dgamma)) << name_of(d);
      table.group_norm({d[0], d[1], d[2], d[3], x.data(), gamma.data(), nullptr, x.data(), mean.data(), invstd.data(), 1e-5}, context);
      EXPECT_TRUE(same_bits(x, y)) << name_of(d);
    }
  });
}

TEST(group_norm, refuses_what_does_not_fit) {
  const Dims x{4, 5, 2, 3}, c{2, 3}, s{4, 2};
  const Operand in = reals(x, 1), per = reals(c, 2), wrong = reals({3, 2}, 2), stat = reals(s, 3);
  expect_refused("group_norm", {in, wrong, absent(), result(x), result(s), result(s)}, {1e-5}, "gamma has shape [3,2], expected [2,3]");
  expect_refused("group_norm", {in, absent(), reals({6}, 1), result(x), result(s), result(s)}, {1e-5}, "beta");
  expect_refused("group_norm", {in, absent(), absent(), result({4, 5, 6}), result(s), result(s)}, {1e-5}, "output");
  expect_refused("group_norm", {in, absent(), absent(), result(x), result({2, 4}), result(s)}, {1e-5}, "mean has shape");
  expect_refused("group_norm", {in, absent(), absent(), result(x), result(s), absent()}, {1e-5}, "missing");
  expect_refused("group_norm", {reals({4, 5, 6}, 1), absent(), absent(), result({4, 5, 6}), result(s), result(s)}, {1e-5}, "rank");
  expect_refused("group_norm", {in, absent(), absent(), result(x), result(s), result(s)}, {-1}, "attribute");
  expect_refused("group_norm", {in, absent(), absent(), result(x), result(s), result(s)}, {NAN}, "attribute");
  expect_refused("group_norm_backward", {in, reals({5, 4, 2, 3}, 1), absent(), stat, stat, result(x), absent(), absent()}, {}, "gradient");
  expect_refused("group_norm_backward", {in, in, per, stat, per, result(x), absent(), absent()}, {}, "invstd");
  expect_refused("group_norm_backward", {in, in, per, stat, stat, result({4}), absent(), absent()}, {}, "input's gradient");
  expect_refused("group_norm_backward", {in, in, per, stat, stat, result(x), result({3, 2}), absent()}, {}, "gamma's gradient");
}

}  // namespace receptive::test::group_norm_test
