#include "op_case.h"

namespace receptive::test::find_nonfinite_test {

namespace {

double found(Dtype dtype, const std::vector<double>& x, double before, double place) {
  const Cells in(dtype, {static_cast<int64_t>(x.size())}, x), first(Dtype::int32, {}, {before});
  EXPECT_EQ(run_op("find_nonfinite", {&in.tensor(), &first.tensor()}, {place}), "");
  first.verify("first");
  return first.at(0);
}

}  // namespace

TEST(find_nonfinite, tells_where_and_what) {
  const double least = 1e-45, most = 3.4e38;
  for (const Dtype dtype : {Dtype::float32, Dtype::float64}) {
    EXPECT_EQ(found(dtype, {}, 0, 7), 0);
    EXPECT_EQ(found(dtype, {0, -0.0, least, -most, most}, 0, 7), 0);
    for (const double sign : {1.0, -1.0}) {
      EXPECT_EQ(found(dtype, {1, sign * INFINITY, 2}, 0, 7), 14);
      EXPECT_EQ(found(dtype, {1, std::copysign(NAN, sign), 2}, 0, 7), 15);
      EXPECT_EQ(found(dtype, {sign * INFINITY, NAN}, 0, 7), 15);
    }
    EXPECT_EQ(found(dtype, {NAN}, 4, 7), 4);  // something was found before
    EXPECT_EQ(found(dtype, {NAN}, 0, (1 << 30) - 1), 2147483647.0);
  }
}

TEST(find_nonfinite, finds_one_anywhere_on_any_number_of_threads) {
  const int before = Pool::shared().threads();
  for (int threads = 1; threads <= 3; ++threads) {
    Pool::shared().set_threads(threads);
    for (const int64_t n : {1, 15, 16, 17, 16384, 16385, 100003}) {
      for (const int64_t at : {int64_t{0}, n / 2, n - 1}) {
        std::vector<double> x = reals({n}, 3).values;
        EXPECT_EQ(found(Dtype::float32, x, 0, 1), 0);
        x[static_cast<size_t>(at)] = INFINITY;
        EXPECT_EQ(found(Dtype::float32, x, 0, 1), 2) << n << " " << at;
        EXPECT_EQ(found(Dtype::float64, x, 0, 1), 2) << n << " " << at;
      }
    }
  }
  Pool::shared().set_threads(before);
}

TEST(find_nonfinite, refuses_what_does_not_fit) {
  const Operand x = reals({4}, 1), first = updated(int32s({}, {0}));
  expect_refused("find_nonfinite", {int32s({4}, {1, 2, 3, 4}), first}, {1}, "input is int32");
  expect_refused("find_nonfinite", {x, updated(int32s({2}, {0, 0}))}, {1}, "expected one element");
  expect_refused("find_nonfinite", {x, result({})}, {1}, "first");
  expect_refused("find_nonfinite", {x, first}, {0}, "attribute 0");
  expect_refused("find_nonfinite", {x, first}, {1 << 30}, "attribute 0");
}

}  // namespace receptive::test::find_nonfinite_test
