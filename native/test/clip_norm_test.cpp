#include "op_case.h"

namespace receptive::test::clip_norm_test {

namespace {

constexpr int64_t kSizes[] = {0, 1, 3, 7, 8, 9, 1000, 16384, 16385, 100003};

std::vector<double> reals_of(int64_t n, uint32_t seed) { return reals({n}, seed).values; }

double squares_of(const std::vector<double>& x) {
  long double sum = 0;
  for (const double v : x) sum += static_cast<long double>(v) * v;
  return static_cast<double>(sum);
}

// A term goes through 2048 additions of a chunk's lane, 8 of the lanes and 7 of the chunks.
constexpr double kBound = 2064 * 0x1p-53;

}  // namespace

TEST(squared_norm, adds_the_sum_of_squares_in_double) {
  const int before = Pool::shared().threads();
  for (const Dtype dtype : {Dtype::float32, Dtype::float64}) {
    for (const int64_t n : kSizes) {
      const std::vector<double> values = reals_of(n, 1);
      double first = 0;
      for (int threads = 1; threads <= 3; ++threads) {
        Pool::shared().set_threads(threads);
        const Cells x(dtype, {n}, values), total(Dtype::float64, {}, {2.5});
        EXPECT_EQ(run_op("squared_norm", {&x.tensor(), &total.tensor()}, {}), "");
        EXPECT_NEAR(total.at(0), 2.5 + squares_of(values), kBound * (2.5 + squares_of(values))) << n;
        total.verify("total");
        if (threads == 1) first = total.at(0);
        EXPECT_EQ(total.at(0), first) << n << ": other bits on " << threads << " threads";
      }
    }
  }
  Pool::shared().set_threads(before);
}

TEST(squared_norm, is_finite_where_float_would_not_be) {
  const Cells x(Dtype::float32, {3}, {3e38, -3e38, 1e-38}), total(Dtype::float64, {}, {0});
  run_op("squared_norm", {&x.tensor(), &total.tensor()}, {});
  EXPECT_NEAR(total.at(0), 2 * 3e38 * 3e38, 1e70);
}

TEST(clip_norm, scales_what_is_too_long_and_nothing_else) {
  const int threads_before = Pool::shared().threads();
  for (const Dtype dtype : {Dtype::float32, Dtype::float64}) {
    for (const int64_t n : kSizes) {
      for (const double norm : {0.0, 1.9, 2.0, 2.1, 1e30}) {
        for (int threads = 1; threads <= 3; ++threads) {
          Pool::shared().set_threads(threads);
          const std::vector<double> values = reals_of(n, 2);
          const Cells x(dtype, {n}, values), before(dtype, {n}, values), total(Dtype::float64, {}, {norm * norm});
          run_op("clip_norm", {&x.tensor(), &total.tensor()}, {2});
          x.verify("x");
          if (norm < 2) {
            EXPECT_TRUE(x.same_bytes(before));
            continue;
          }
          for (int64_t i = 0; i < n; ++i) {
            const double expected = before.at(i) * 2 / (norm + 1e-6);
            ASSERT_NEAR(x.at(i), expected, std::fabs(expected) * (dtype == Dtype::float32 ? 2e-7 : 1e-15)) << n << " of norm " << norm;
          }
        }
      }
    }
  }
  Pool::shared().set_threads(threads_before);
}

TEST(clip_norm, a_norm_that_is_no_number_makes_none_of_anything) {
  const Cells x(Dtype::float32, {3}, {1, 2, 3}), total(Dtype::float64, {}, {NAN});
  run_op("clip_norm", {&x.tensor(), &total.tensor()}, {1});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(x.at(i)));
  const Cells y(Dtype::float32, {2}, {1, INFINITY}), infinite(Dtype::float64, {}, {INFINITY});
  run_op("clip_norm", {&y.tensor(), &infinite.tensor()}, {1});
  EXPECT_EQ(y.at(0), 0);
  EXPECT_TRUE(std::isnan(y.at(1)));
}

TEST(clip_norm, refuses_what_does_not_fit) {
  const Cells x(Dtype::float32, {4}), ints(Dtype::int32, {4}), total(Dtype::float64, {}), single(Dtype::float32, {}),
      pair(Dtype::float64, {2});
  const auto refused = [](const char* op, const Cells* a, const Cells* b, double most, const char* reason) {
    try {
      const std::vector<double> attrs = op == std::string("clip_norm") ? std::vector<double>{most} : std::vector<double>{};
      run_op(op, {a ? &a->tensor() : nullptr, b ? &b->tensor() : nullptr}, attrs);
      ADD_FAILURE() << op << " accepted what should be refused: " << reason;
    } catch (const OpError& error) {
      EXPECT_NE(std::string(error.what()).find(reason), std::string::npos) << error.what();
    }
  };
  for (const char* op : {"squared_norm", "clip_norm"}) {
    refused(op, &ints, &total, 1, "gradient is int32");
    refused(op, &x, &single, 1, "total is float32");
    refused(op, &x, &pair, 1, "expected one element");
    refused(op, &x, nullptr, 1, "missing");
    refused(op, &total, &total, 1, "share their memory");
  }
  refused("clip_norm", &x, &total, -1, "expected at least 0");
  refused("clip_norm", &x, &total, NAN, "expected at least 0");
}

}  // namespace receptive::test::clip_norm_test
