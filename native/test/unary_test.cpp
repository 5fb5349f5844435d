#include "op_case.h"

namespace receptive::test::unary_test {

namespace {

struct Case {
  Unary kind;
  const char* name;
  float low, high;              // of x
  float saved_low, saved_high;  // of what the gradient reads
  double p = 0, q = 0;
  double bound = 3e-7;           // of the relative error
  double gradient_bound = 5e-7;  // of the error relative to the largest
};
const Case cases[] = {
    {Unary::neg, "neg", -4, 4, -4, 4},
    {Unary::abs, "abs", -4, 4, -4, 4},
    {Unary::exp, "exp", -80, 80, 0, 9},
    {Unary::log, "log", 1e-6f, 1e4f, 0.25f, 9},
    {Unary::sqrt, "sqrt", 0, 100, 0.25f, 9},
    {Unary::square, "square", -9, 9, -9, 9},
    {Unary::relu, "relu", -1, 1, -1, 1},
    {Unary::sigmoid, "sigmoid", -30, 30, 0, 1},
    {Unary::tanh, "tanh", -10, 10, -1, 1},
    {Unary::hardtanh, "hardtanh", -2, 4, -2, 4, -0.5, 2.25},
    {Unary::clamp, "clamp", -2, 4, -2, 4, -0.5, 2.25},
    {Unary::leaky_relu, "leaky_relu", -2, 4, -2, 4, 0.125},
    {Unary::leaky_relu, "leaky_relu of a negative slope", -2, 4, -2, 4, -0.5},
    {Unary::elu, "elu", -20, 4, -0.5, 4, 0.5},
    {Unary::elu, "elu near 0", -1e-3f, 1e-3f, -1e-3f, 1e-3f, 2},
    {Unary::gelu, "gelu", -12, 12, -5, 5, 0, 0, 8e-7},
    {Unary::gelu, "gelu near 0", -0.1f, 0.1f, -1, 1, 0, 0, 8e-7},
    // The argument of the exponential, rounded, is up to 17; 1 - σ, whose error is that of σ near 1, is multiplied by x.
    {Unary::gelu_tanh, "gelu_tanh", -5, 5, -5, 5, 0, 0, 3e-6, 3e-6},
    {Unary::silu, "silu", -80, 30, -9, 9, 0, 0, 3e-7, 1e-6},
    {Unary::hard_swish, "hard_swish", -4, 4, -4, 4},
    {Unary::hard_sigmoid, "hard_sigmoid", -4, 4, -0.5f, 1.5f},
    {Unary::softplus, "softplus", -80, 30, -30, 30, 1, 20},
    {Unary::softplus, "softplus of beta 2 without threshold", -40, 40, -30, 30, 2, INFINITY},
    {Unary::reciprocal, "reciprocal", 0.01f, 100, -9, 9},
    {Unary::rsqrt, "rsqrt", 0.01f, 100, 0, 9},
    {Unary::sin, "sin", -1000, 1000, -9, 9},
    {Unary::cos, "cos", -1000, 1000, -9, 9},
    {Unary::erf, "erf", -5, 5, -3, 3},
    {Unary::erf, "erf near 0", -1e-2f, 1e-2f, -1, 1},
    {Unary::huber, "huber", -4, 4, -4, 4, 1.5},
    {Unary::xlogx, "xlogx", 1.5f, 9, 0.5f, 9},
    {Unary::sign, "sign", -4, 4, -4, 4},
    {Unary::floor, "floor", -4, 4, -4, 4},
    {Unary::ceil, "ceil", -4, 4, -4, 4},
    {Unary::round, "round", -4, 4, -4, 4},
};

template <class Args>
Args args(const Case& c, Args a) {
  a.p = c.p;
  a.q = c.q;
  return a;
}

const int64_t sizes[] = {0, 1, 3, 4, 7, 15, 16, 17, 31, 33, 64, 1000, 40000};

}  // namespace

TEST(unary, agrees_with_the_reference_for_every_tail) {
  int ran = 0;
  each_isa([&](const KernelTable& table) {
    for (const Case& c : cases) {
      for (const int64_t n : sizes) {
        const std::string what = std::string(c.name) + " of " + std::to_string(n);
        Buffer<float> x(n), y(n);
        fill_reals(x, 7, c.low, c.high);
        run_on_threads(table.unary, args(c, UnaryArgs<float>{c.kind, n, x.data(), y.data()}), y, what);
        for (int64_t i = 0; i < n; ++i) {
          Buffer<double> one(1), out(1);
          one[0] = x[i];
          KernelContext context;
          reference::unary<double>(args(c, UnaryArgs<double>{c.kind, 1, one.data(), out.data()}), context);
          ASSERT_NEAR(y[i], out[0], c.bound * std::fabs(out[0]) + 1e-37) << what << " at x = " << x[i];
        }
        y.verify(what);
        ++ran;
      }
    }
  });
  EXPECT_GT(ran, 100);
}

TEST(unary, gradient_agrees_with_the_reference) {
  each_isa([&](const KernelTable& table) {
    for (const Case& c : cases) {
      if (c.kind >= Unary::sign) continue;
      for (const int64_t n : sizes) {
        const std::string what = std::string(c.name) + " gradient of " + std::to_string(n);
        Buffer<float> saved(n), g(n), dx(n);
        fill_reals(saved, 8, c.saved_low, c.saved_high);
        fill_reals(g, 9);
        if (n > 2) saved[n / 2] = 0, saved[n / 3] = NAN, saved[n - 1] = -0.0f;
        if (n > 15) saved[1] = static_cast<float>(c.p), saved[2] = static_cast<float>(c.q), saved[4] = -3, saved[5] = 3;
        run_on_threads(table.unary_backward, args(c, UnaryBackwardArgs<float>{c.kind, n, saved.data(), g.data(), dx.data()}), dx, what);
        const Buffer<double> wide_saved = widen(saved), wide_g = widen(g);
        Buffer<double> ref(n);
        KernelContext context;
        reference::unary_backward<double>(args(c, UnaryBackwardArgs<double>{c.kind, n, wide_saved.data(), wide_g.data(), ref.data()}),
                                          context);
        expect_close(dx, ref, c.gradient_bound, what);
      }
    }
  });
}

TEST(unary, negation_flips_the_sign_of_zero) {
  constexpr int64_t n = 37;  // whole vectors and a tail
  each_isa([&](const KernelTable& table) {
    for (const float zero : {0.0f, -0.0f}) {
      Buffer<float> zeros(n, zero), negative(n, -1), y(n), dx(n), dx_abs(n);
      KernelContext context;
      table.unary({Unary::neg, n, zeros.data(), y.data()}, context);
      table.unary_backward({Unary::neg, n, zeros.data(), zeros.data(), dx.data()}, context);
      table.unary_backward({Unary::abs, n, negative.data(), zeros.data(), dx_abs.data()}, context);
      for (int64_t i = 0; i < n; ++i) {
        for (const float out : {y[i], dx[i], dx_abs[i]}) {
          ASSERT_EQ(out, 0);
          ASSERT_NE(std::signbit(out), std::signbit(zero)) << i;
        }
      }
    }
  });
}

TEST(unary, special_values) {
  each_isa([&](const KernelTable& table) {
    const float inf = INFINITY;
    const auto at = [&](Unary kind, float x) {
      Buffer<float> in(1, x), out(1);
      KernelContext context;
      table.unary({kind, 1, in.data(), out.data()}, context);
      return out[0];
    };
    EXPECT_EQ(at(Unary::exp, inf), inf);
    EXPECT_EQ(at(Unary::exp, -inf), 0);
    EXPECT_EQ(at(Unary::exp, 200), inf);
    EXPECT_EQ(at(Unary::exp, 0), 1);
    EXPECT_EQ(at(Unary::log, 0), -inf);
    EXPECT_EQ(at(Unary::log, inf), inf);
    EXPECT_EQ(at(Unary::log, 1), 0);
    EXPECT_TRUE(std::isnan(at(Unary::log, -1)));
    EXPECT_EQ(at(Unary::tanh, 50), 1);
    EXPECT_EQ(at(Unary::tanh, -50), -1);
    EXPECT_EQ(at(Unary::sigmoid, -200), 0);
    EXPECT_EQ(at(Unary::erf, inf), 1);
    EXPECT_EQ(at(Unary::erf, -20), -1);
    EXPECT_EQ(at(Unary::gelu, inf), inf);
    EXPECT_EQ(at(Unary::gelu, -20), 0);
    EXPECT_EQ(at(Unary::gelu_tanh, -20), 0);
    EXPECT_EQ(at(Unary::xlogx, 0), 0);
    EXPECT_TRUE(std::isnan(at(Unary::xlogx, -1)));
    EXPECT_EQ(at(Unary::rsqrt, 0), inf);
    EXPECT_EQ(at(Unary::sign, 2e-38f), 1);
    for (const Case& c : cases) EXPECT_TRUE(std::isnan(at(c.kind, NAN))) << c.name;
  });
}

TEST(unary, rounding_is_exact_and_keeps_the_sign_of_zero) {
  std::vector<float> points = {INFINITY, 8388607.5f, 8388608.0f, 1e10f, 3e38f, 4194303.5f, 2147483648.0f};
  for (float x = 0; x <= 4; x += 0.25f) points.insert(points.end(), {x, std::nextafter(x, -1.0f), std::nextafter(x, 5.0f)});
  each_isa([&](const KernelTable& table) {
    for (const float point : points) {
      for (const float x : {point, -point}) {
        for (const Unary kind : {Unary::floor, Unary::ceil, Unary::round, Unary::sign}) {
          Buffer<float> in(1, x), out(1);
          Buffer<double> wide(1, x), ref(1);
          KernelContext context;
          table.unary({kind, 1, in.data(), out.data()}, context);
          reference::unary<double>({kind, 1, wide.data(), ref.data()}, context);
          ASSERT_EQ(out[0], ref[0]) << x;
          ASSERT_EQ(std::signbit(out[0]), std::signbit(ref[0])) << x;
        }
      }
    }
  });
}

TEST(unary, ops_take_each_function_with_its_parameters) {
  for (const Case& c : cases) {
    std::vector<double> attrs{static_cast<double>(c.kind)};
    const bool two = c.kind == Unary::hardtanh || c.kind == Unary::clamp || c.kind == Unary::softplus;
    if (two || c.kind == Unary::leaky_relu || c.kind == Unary::elu || c.kind == Unary::huber) attrs.push_back(c.p);
    if (two) attrs.push_back(c.q);
    const Dims shape{3, 37};
    expect_agreement("unary", {reals(shape, 7, c.low, c.high), result(shape)}, attrs, c.bound, c.name);
    if (c.kind >= Unary::sign) continue;
    expect_agreement("unary_backward", {reals(shape, 8, c.saved_low, c.saved_high), reals(shape, 9), result(shape)}, attrs,
                     c.gradient_bound, c.name);
  }
}

TEST(unary, refuses_what_does_not_fit) {
  const auto hardtanh = static_cast<double>(Unary::hardtanh);
  const Operand x = reals({3}, 1), y = result({3});
  expect_refused("unary", {x, y}, {}, "function is missing");
  expect_refused("unary", {x, y}, {static_cast<double>(Unary::count)}, "attribute 0");
  expect_refused("unary", {x, y}, {0, 1}, "takes 0 parameters, got 1");
  expect_refused("unary", {x, y}, {hardtanh, 0}, "takes 2 parameters, got 1");
  expect_refused("unary", {x, y}, {hardtanh, 1, 0}, "interval");
  expect_refused("unary", {x, y}, {hardtanh, NAN, 0}, "interval");
  expect_refused("unary", {x, y}, {static_cast<double>(Unary::softplus), 0, 20}, "attribute 1");
  expect_refused("unary", {x, y}, {static_cast<double>(Unary::softplus), 1, NAN}, "threshold");
  expect_refused("unary", {x, y}, {static_cast<double>(Unary::elu), -1}, "attribute 1");
  expect_refused("unary", {x, y}, {static_cast<double>(Unary::leaky_relu), INFINITY}, "attribute 1");
  expect_refused("unary", {x, y}, {static_cast<double>(Unary::huber), 0}, "attribute 1");
  for (const Unary kind : {Unary::sign, Unary::floor, Unary::ceil, Unary::round}) {
    expect_refused("unary_backward", {x, x, y}, {static_cast<double>(kind)}, "no gradient");
  }
  expect_refused("unary", {x, result({4})}, {0}, "output");
  expect_refused("unary", {int32s({3}, {1, 2, 3}), y}, {0}, "input is int32");
  expect_refused("unary_backward", {x, x, y}, {hardtanh}, "takes 2 parameters, got 0");
  expect_refused("unary_backward", {reals({4}, 1), x, y}, {0}, "saved tensor");
  expect_refused("unary_backward", {x, x, result({4})}, {0}, "output");
}

}  // namespace receptive::test::unary_test
