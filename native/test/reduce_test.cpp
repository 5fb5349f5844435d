#include "op_case.h"

namespace receptive::test::reduce_test {

namespace {

enum Kind { sum, mean, max, min };
const char* const names[] = {"sum", "mean", "max", "min"};

const Dims shapes[] = {{},         {1},           {7},       {3, 1},          {64, 10},       {3, 100000},       {50000, 6},
                       {130, 257}, {2, 70, 1500}, {9, 1, 5}, {64, 14, 14, 6}, {5, 30, 7, 20}, {2, 3, 4, 5, 6, 7}};

Dims reduced(const Dims& dims, int mask, bool keep) {
  Dims out;
  for (size_t i = 0; i < dims.size(); ++i) {
    if (!(mask >> i & 1)) {
      out.push_back(dims[i]);
    } else if (keep) {
      out.push_back(1);
    }
  }
  return out;
}

// The float32 reduction of everything.
float reduce_all(Kind kind, const std::vector<double>& x) {
  const OpRun run("reduce", {values({static_cast<int64_t>(x.size())}, x), result({})}, {double(kind), 1}, Dtype::float32);
  return static_cast<float>(run[1].at(0));
}

}  // namespace

TEST(reduce, every_set_of_axes_of_integers_exactly) {
  for (const Dims& dims : shapes) {
    for (int mask = 0; mask < 1 << dims.size(); ++mask) {
      for (const Kind kind : {sum, max, min}) {
        const std::string what =
            std::string(names[kind]) + " over mask " + std::to_string(mask) + " of " + std::to_string(size_of_dims(dims));
        expect_agreement("reduce", {integers(dims, 3), result(reduced(dims, mask, kind == max))}, {double(kind), double(mask)}, 0, what);
      }
    }
  }
}

TEST(reduce, means_of_reals) {
  for (const Dims& dims : shapes) {
    for (int mask = 0; mask < 1 << dims.size(); ++mask) {
      expect_agreement("reduce", {reals(dims, 4, 0, 1), result(reduced(dims, mask, true))}, {double(mean), double(mask)}, 4e-7, "mean");
    }
  }
}

// A running sum of a million values would be off by thousands of ulps.
TEST(reduce, a_long_sum_is_right_to_a_few_ulps) {
  const std::vector<double> x = reals({1000003}, 5, 0, 1).values;
  double exact = 0;
  for (const double v : x) exact += v;
  each_isa([&](const KernelTable&) {
    EXPECT_NEAR(reduce_all(sum, x), exact, 4 * exact * 0x1p-24);
    EXPECT_NEAR(reduce_all(mean, x), exact / 1000003, 4 * 0.5 * 0x1p-24);
  });
}

TEST(reduce, nan_and_infinity_pass_through) {
  each_isa([&](const KernelTable&) {
    for (const size_t n : {1, 5, 17, 300, 5000}) {
      for (const size_t at : {size_t{0}, n / 2, n - 1}) {
        std::vector<double> x(n, 2);
        x[at] = NAN;
        for (const Kind kind : {sum, mean, max, min}) EXPECT_TRUE(std::isnan(reduce_all(kind, x))) << names[kind] << n;
        x[at] = INFINITY;
        EXPECT_EQ(reduce_all(sum, x), INFINITY);
        EXPECT_EQ(reduce_all(max, x), INFINITY);
        x[at] = -INFINITY;
        EXPECT_EQ(reduce_all(min, x), -INFINITY);
        EXPECT_EQ(reduce_all(max, std::vector<double>(n, -INFINITY)), -INFINITY);
      }
    }
  });
}

TEST(reduce, nothing_sums_to_zero_and_has_no_mean_or_extreme) {
  for (const Dtype real : {Dtype::float32, Dtype::float64}) {
    const OpRun none("reduce", {values({2, 0}, {}), result({2})}, {sum, 2}, real),
        mean_of_none("reduce", {values({2, 0}, {}), result({2})}, {mean, 2}, real);
    EXPECT_EQ(none[1].all(), (std::vector<double>{0, 0}));
    EXPECT_TRUE(std::isnan(mean_of_none[1].at(0)) && std::isnan(mean_of_none[1].at(1)));
    const OpRun no_output("reduce", {values({0, 3}, {}), result({0})}, {max, 2}, real);
    EXPECT_EQ(no_output[1].tensor().size(), 0);
  }
  expect_refused("reduce", {values({2, 0}, {}), result({2})}, {max, 2}, "extreme");
}

TEST(reduce, int32_sums_saturate) {
  const OpRun high("reduce", {int32s({3}, {2147483647, 1, 5}), int32_result({})}, {sum, 1}, Dtype::float32);
  const OpRun low("reduce", {int32s({3}, {-2147483648.0, -1, -5}), int32_result({})}, {sum, 1}, Dtype::float32);
  const OpRun fits("reduce", {int32s({4}, {2147483647, 1, -2147483647, 7}), int32_result({})}, {sum, 1}, Dtype::float32);
  const OpRun least("reduce", {int32s({2, 2}, {3, -2147483648.0, 4, 9}), int32_result({2})}, {min, 2}, Dtype::float32);
  EXPECT_EQ(high[1].at(0), 2147483647);
  EXPECT_EQ(low[1].at(0), -2147483648.0);
  EXPECT_EQ(fits[1].at(0), 8);
  EXPECT_EQ(least[1].all(), (std::vector<double>{-2147483648.0, 4}));
}

TEST(reduce, refuses_what_does_not_fit) {
  const Operand x = reals({4, 3}, 1);
  expect_refused("reduce", {x, result({3})}, {sum, 2}, "shape");
  expect_refused("reduce", {x, result({1, 4})}, {sum, 2}, "shape");
  expect_refused("reduce", {x, result({4, 1, 1})}, {sum, 2}, "shape");
  expect_refused("reduce", {x, result({4})}, {sum, 4}, "attribute 1");
  expect_refused("reduce", {x, result({4})}, {4, 2}, "attribute 0");
  expect_refused("reduce", {x, int32_result({4})}, {sum, 2}, "output is int32");
  expect_refused("reduce", {int32s({4}, {1, 2, 3, 4}), int32_result({})}, {mean, 1}, "int32");
  expect_refused("reduce", {bytes({4}, {1, 2, 3, 4}), byte_result({})}, {sum, 1}, "uint8");
  expect_refused("reduce", {x, absent()}, {sum, 2}, "missing");
}

}  // namespace receptive::test::reduce_test
