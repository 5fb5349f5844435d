#include "pool_cases.h"

namespace receptive::test::max_pool2d_test {

TEST(max_pool2d, agrees_with_the_reference) {
  for (const PoolCase& c : pool_cases()) {
    for (const int64_t C : pool_channels) {
      // few values: ties abound, and the first must win
      expect_agreement("max_pool2d", {integers(c.x(C), 1), result(c.y(C)), byte_result(c.y(C))}, clipped(c.attrs), 0, c.name);
      expect_agreement("max_pool2d", {reals(c.x(C), 1), result(c.y(C)), absent()}, clipped(c.attrs), 0, c.name);
      expect_agreement("max_pool2d", {integers(c.x(C), 1), result(c.y(C)), byte_result(c.y(C))}, clipped(c.attrs, 0), 0, c.name);
      expect_agreement("max_pool2d", {integers(c.x(C), 1), result(c.y(C)), absent()}, clipped(c.attrs, -1, 2), 0, c.name);
    }
  }
}

TEST(max_pool2d, gradient_agrees_with_the_reference) {
  for (const PoolCase& c : pool_cases()) {
    for (const int64_t C : pool_channels) {
      const OpRun forward("max_pool2d", {integers(c.x(C), 1), result(c.y(C)), byte_result(c.y(C))}, clipped(c.attrs), Dtype::float32);
      expect_agreement("max_pool2d_backward", {integers(c.y(C), 2), bytes(c.y(C), forward[2].all()), result(c.x(C))}, c.attrs, 0, c.name);
    }
  }
}

// Large enough to be cut into bands of rows: windows beside each other, that overlap, with gaps, hanging over, dilated, and shared out.
TEST(max_pool2d, gradient_of_large_images_agrees_with_the_reference) {
  struct Large {
    Dims x, y;
    std::vector<double> attrs;  // none: adaptive
  };
  const Large cases[] = {
      {{1, 56, 56, 64}, {1, 28, 28, 64}, {2, 2, 2, 2, 0, 0, 0, 0, 1, 1}},
      {{1, 56, 56, 64}, {1, 28, 28, 64}, {3, 3, 2, 2, 1, 1, 1, 1, 1, 1}},
      {{2, 61, 40, 35}, {2, 61, 40, 35}, {3, 3, 1, 1, 1, 1, 1, 1, 1, 1}},
      {{2, 71, 70, 17}, {2, 24, 24, 17}, {2, 2, 3, 3, 1, 0, 0, 1, 1, 1}},
      {{1, 120, 101, 3}, {1, 60, 51, 3}, {2, 2, 2, 2, 0, 0, 0, 0, 1, 1}},
      {{3, 101, 60, 16}, {3, 51, 30, 16}, {2, 2, 2, 2, 0, 0, 0, 0, 1, 1}},
      {{1, 90, 30, 33}, {1, 28, 11, 33}, {4, 3, 3, 2, 1, 0, 0, 1, 3, 5}},
      {{1, 70, 40, 40}, {1, 9, 7, 40}, {}},
      {{1, 60, 50, 30}, {1, 1, 1, 30}, {60, 4, 60, 50, 0, 0, 0, 0, 1, 1}},
      {{9, 40, 40, 35}, {9, 20, 20, 35}, {3, 3, 2, 2, 1, 1, 1, 1, 1, 1}},
  };
  for (const Large& c : cases) {
    const std::string op = c.attrs.empty() ? "adaptive_max_pool2d" : "max_pool2d";
    const OpRun forward(op.c_str(), {integers(c.x, 1), result(c.y), byte_result(c.y)}, c.attrs.empty() ? c.attrs : clipped(c.attrs),
                        Dtype::float32);
    expect_agreement((op + "_backward").c_str(), {integers(c.y, 2), bytes(c.y, forward[2].all()), result(c.x)}, c.attrs, 0,
                     op + " of " + std::to_string(c.x[1]));
  }
}

// argmax comes from JavaScript: any byte may stand in it.
TEST(max_pool2d, an_argmax_of_any_bytes_stays_in_the_image) {
  std::mt19937 random(1);
  for (const PoolCase& c : pool_cases()) {
    for (const int64_t C : {1, 17}) {
      std::vector<double> any(static_cast<size_t>(size_of_dims(c.y(C))));
      for (double& v : any) v = static_cast<double>(random() % 256);
      expect_agreement("max_pool2d_backward", {integers(c.y(C), 2), bytes(c.y(C), any), result(c.x(C))}, c.attrs, 0, c.name);
    }
  }
}

TEST(max_pool2d, a_window_of_more_than_256_cells_keeps_a_wide_argmax) {
  const Dims x{2, 20, 20, 3}, y{2, 4, 4, 3};
  const std::vector<double> attrs{17, 17, 1, 1, 0, 0, 0, 0, 1, 1};
  const Operand in = reals(x, 1);
  expect_agreement("max_pool2d", {in, result(y), int32_result(y)}, clipped(attrs), 0, "wide");
  expect_agreement("max_pool2d", {in, result(y), absent()}, clipped(attrs), 0, "wide, no argmax");
  const OpRun forward("max_pool2d", {in, result(y), int32_result(y)}, clipped(attrs), Dtype::float32);
  expect_agreement("max_pool2d_backward", {integers(y, 2), int32s(y, forward[2].all()), result(x)}, attrs, 0, "wide");
  std::vector<double> any(static_cast<size_t>(size_of_dims(y)));
  for (size_t i = 0; i < any.size(); ++i) any[i] = i % 3 == 0 ? -2147483648.0 : i % 3 == 1 ? 2147483647.0 : 288;
  expect_agreement("max_pool2d_backward", {integers(y, 2), int32s(y, any), result(x)}, attrs, 0, "any argmax");
}

TEST(max_pool2d, agrees_with_the_reference_in_windows_of_many_cells) {
  // ties abound; the last window has more cells than a byte counts, and fewer than a float
  for (const int64_t C : {1, 3, 16, 17, 35}) {
    const Dims x{2, 30, 20, C}, y{2, 3, 1, C};
    expect_agreement("max_pool2d", {integers(x, 1), result(y), int32_result(y)}, clipped({20, 20, 5, 1, 0, 0, 0, 0, 1, 1}), 0,
                     "many cells");
  }
}

// The kernel counts cells in floats, which hold each integer up to 2^24. The one cell of the image is the last of the window.
TEST(max_pool2d, a_window_of_more_cells_than_a_float_counts) {
  for (const double cells : {0x1p24, 0x1p24 + 2}) {
    const Dims one{1, 1, 1, 1};
    expect_agreement("max_pool2d", {integers(one, 1), result(one), int32_result(one)}, clipped({1, cells, 1, 1, 0, 0, 0, cells - 1, 1, 1}),
                     0, "cells");
  }
}

TEST(max_pool2d, adaptive_windows_agree_with_the_reference) {
  for (const AdaptiveCase& c : adaptive_cases()) {
    for (const int64_t C : pool_channels) {
      const std::vector<Operand> operands{integers(c.x(C), 1), result(c.y(C)), byte_result(c.y(C))};
      expect_agreement("adaptive_max_pool2d", operands, {}, 0, c.name);
      expect_agreement("adaptive_max_pool2d", {reals(c.x(C), 1), result(c.y(C)), absent()}, {}, 0, c.name);
      const OpRun forward("adaptive_max_pool2d", operands, {}, Dtype::float32);
      expect_agreement("adaptive_max_pool2d_backward", {integers(c.y(C), 2), bytes(c.y(C), forward[2].all()), result(c.x(C))}, {}, 0,
                       c.name);
    }
  }
}

TEST(max_pool2d, adaptive_windows_of_any_argmax_stay_in_the_image) {
  std::mt19937 random(1);
  for (const AdaptiveCase& c : adaptive_cases()) {
    std::vector<double> any(static_cast<size_t>(size_of_dims(c.y(17))));
    for (double& v : any) v = static_cast<double>(random() % 256);
    expect_agreement("adaptive_max_pool2d_backward", {integers(c.y(17), 2), bytes(c.y(17), any), result(c.x(17))}, {}, 0, c.name);
  }
}

TEST(max_pool2d, adaptive_windows_lie_where_they_should) {
  const std::vector<double> x{1, 2, 3, 4, 5};  // windows [0, 2), [1, 4), [3, 5)
  const OpRun run("adaptive_max_pool2d", {values({1, 5, 1, 1}, x), result({1, 3, 1, 1}), byte_result({1, 3, 1, 1})}, {}, Dtype::float32);
  EXPECT_EQ(run[1].all(), (std::vector<double>{2, 4, 5}));
  EXPECT_EQ(run[2].all(), (std::vector<double>{1, 2, 1}));
}

TEST(max_pool2d, adaptive_windows_refuse_what_does_not_fit) {
  const Operand x = reals({2, 6, 6, 3}, 1);
  const auto refused = [&](const Operand& in, const Dims& out, const Operand& argmax, const std::string& reason) {
    expect_refused("adaptive_max_pool2d", {in, result(out), argmax}, {}, reason);
    if (argmax.kind != Operand::Kind::absent) expect_refused("adaptive_max_pool2d_backward", {reals(out, 1), argmax, in}, {}, reason);
  };
  refused(x, {2, 0, 3, 3}, byte_result({2, 0, 3, 3}), "expected 1 to");
  refused(x, {1, 3, 3, 3}, byte_result({1, 3, 3, 3}), "batch");
  refused(x, {2, 3, 3, 2}, byte_result({2, 3, 3, 2}), "channels");
  refused(x, {2, 3, 3}, absent(), "rank 4");
  refused(x, {2, 3, 3, 3}, byte_result({2, 3, 3, 2}), "argmax");
  refused(x, {2, 3, 3, 3}, int32_result({2, 3, 3, 3}), "argmax is int32");
  refused(reals({1, 20, 20, 1}, 1), {1, 1, 1, 1}, byte_result({1, 1, 1, 1}), "argmax is uint8");
  refused(reals({1, 0, 4, 1}, 1), {1, 1, 1, 1}, byte_result({1, 1, 1, 1}), "at least one row");
}

// Work is what lies in the image: two thousand million rows and columns of padding must cost nothing.
TEST(max_pool2d, a_window_over_vast_padding_returns) {
  const double vast = 2147483648.0;
  const Operand x = integers({1, 2, 3, 5}, 1);
  const Dims y{1, 1, 1, 5};
  expect_agreement("max_pool2d", {x, result(y), absent()}, clipped({vast, vast, 1, 1, vast - 2, 0, 0, vast - 3, 1, 1}), 0,
                   "before the image");
  expect_agreement("max_pool2d", {x, result(y), absent()}, clipped({vast, vast, vast, vast, 0, vast - 3, vast - 2, 0, 1, 1}), 0,
                   "behind it");
  // one column, so that an argmax still fits 32 bits
  const std::vector<double> tall{vast - 1, 1, 1, 1, vast - 3, 0, 0, 0, 1, 1};
  const Dims columns{1, 1, 3, 5};
  expect_agreement("max_pool2d", {x, result(columns), int32_result(columns)}, clipped(tall), 0, "with an argmax");
  const OpRun forward("max_pool2d", {x, result(columns), int32_result(columns)}, clipped(tall), Dtype::float32);
  expect_agreement("max_pool2d_backward", {integers(columns, 2), int32s(columns, forward[2].all()), result(x.dims)}, tall, 0, "gradient");
}

TEST(max_pool2d, special_values) {
  const std::vector<double> attrs{2, 2, 2, 2, 0, 0, 0, 0, 1, 1};
  each_isa([&](const KernelTable&) {
    for (const Dtype real : {Dtype::float32, Dtype::float64}) {
      const auto pooled = [&](const std::vector<double>& x) {
        const OpRun run("max_pool2d", {values({1, 2, 2, 1}, x), result({1, 1, 1, 1}), byte_result({1, 1, 1, 1})}, clipped(attrs), real);
        return std::make_pair(run[1].at(0), run[2].at(0));
      };
      EXPECT_TRUE(std::isnan(pooled({1, NAN, INFINITY, 2}).first));
      EXPECT_EQ(pooled({1, NAN, INFINITY, 2}).second, 1);
      EXPECT_EQ(pooled({-INFINITY, -INFINITY, -INFINITY, -INFINITY}), std::make_pair(-INFINITY + 0.0, 0.0));
      EXPECT_EQ(pooled({5, 7, 7, 7}), std::make_pair(7.0, 1.0));
    }
  });
}

TEST(max_pool2d, refuses_what_does_not_fit) {
  const std::vector<double> attrs{2, 2, 2, 2, 0, 0, 0, 0, 1, 1};
  const Operand x = reals({1, 6, 6, 3}, 1);
  const Dims y{1, 3, 3, 3};
  const auto refused = [&](const Operand& in, const Dims& out, const Operand& argmax, std::vector<double> a, const std::string& reason) {
    expect_refused("max_pool2d", {in, result(out), argmax}, clipped(a), reason);
    if (argmax.kind != Operand::Kind::absent) expect_refused("max_pool2d_backward", {reals(out, 1), argmax, in}, a, reason);
  };
  const auto with = [&](size_t i, double value) {
    std::vector<double> a = attrs;
    a[i] = value;
    return a;
  };
  refused(x, {1, 3, 4, 3}, byte_result({1, 3, 4, 3}), attrs, "width");
  refused(x, {1, 4, 3, 3}, byte_result({1, 4, 3, 3}), attrs, "height");
  refused(x, {2, 3, 3, 3}, byte_result({2, 3, 3, 3}), attrs, "batch");
  refused(x, {1, 3, 3, 4}, byte_result({1, 3, 3, 4}), attrs, "channels");
  refused(x, {3, 3, 3}, byte_result({3, 3, 3}), attrs, "rank 4");
  refused(x, y, byte_result({1, 3, 3, 2}), attrs, "argmax");
  refused(x, y, int32_result(y), attrs, "argmax is int32");
  refused(x, y, byte_result(y), with(0, 0), "attribute 0");
  refused(x, y, byte_result(y), with(2, 0), "attribute 2");
  refused(x, y, byte_result(y), with(4, -1), "attribute 4");
  refused(x, y, byte_result(y), with(8, 1e300), "attribute 8");
  refused(x, y, byte_result(y), with(9, NAN), "attribute 9");
  refused(x, y, byte_result(y), with(0, 2147483648.0), "height");
  refused(x, {1, 0, 3, 3}, byte_result({1, 0, 3, 3}), attrs, "height");
  // a window may hang over by less than a stride
  refused(reals({1, 2, 3, 3}, 1), {1, 1, 1, 3}, byte_result({1, 1, 1, 3}), {4, 3, 2, 2, 0, 0, 0, 0, 1, 1}, "height");
  refused(reals({1, 2, 3, 3}, 1), {1, 1, 1, 3}, byte_result({1, 1, 1, 3}), {2, 4, 2, 1, 0, 0, 0, 0, 1, 1}, "width");
  // no cell to compute, yet windows without number to visit
  const double vast = 2147483648.0;
  const Dims hollow{1, 2147483648, 2147483648, 0};
  refused(reals({1, 0, 0, 0}, 1), hollow, byte_result(hollow), {1, 1, 1, 1, vast, 0, 0, vast, 1, 1}, "at least one row");
}

}  // namespace receptive::test::max_pool2d_test
