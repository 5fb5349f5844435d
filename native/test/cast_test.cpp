#include "op_case.h"

namespace receptive::test::cast_test {

namespace {

std::vector<double> cast(Dtype from, Dtype to, const std::vector<double>& x, double scale = 1, double shift = 0) {
  const Dims dims{static_cast<int64_t>(x.size())};
  const Cells in(from, dims, x), out(to, dims);
  run_op("cast", {&in.tensor(), &out.tensor()}, {scale, shift});
  out.verify("cast");
  return out.all();
}

const Dtype dtypes[] = {Dtype::float32, Dtype::float64, Dtype::int32, Dtype::uint8};

}  // namespace

TEST(cast, keeps_small_integers_between_every_two_dtypes) {
  const std::vector<double> x{0, 1, 2, 100, 127, 128, 255};
  for (const Dtype from : dtypes) {
    for (const Dtype to : dtypes) EXPECT_EQ(cast(from, to, x), x) << name_of(from) << " to " << name_of(to);
  }
}

TEST(cast, rounds_to_the_nearest_integer_and_saturates) {
  const std::vector<double> x{0.5, 1.5, 2.5, -0.5, -1.5, 2.4999, 1e30, -1e30, INFINITY, -INFINITY, NAN};
  for (const Dtype from : {Dtype::float32, Dtype::float64}) {
    EXPECT_EQ(cast(from, Dtype::int32, x),
              (std::vector<double>{0, 2, 2, 0, -2, 2, 2147483647, -2147483648.0, 2147483647, -2147483648.0, 0}));
    EXPECT_EQ(cast(from, Dtype::uint8, x), (std::vector<double>{0, 2, 2, 0, 0, 2, 255, 0, 255, 0, 0}));
  }
  EXPECT_EQ(cast(Dtype::int32, Dtype::uint8, {-7, 256, 2147483647}), (std::vector<double>{0, 255, 255}));
  EXPECT_EQ(cast(Dtype::int32, Dtype::int32, {2147483647, -2147483648.0, 5}, 2, -1), (std::vector<double>{2147483647, -2147483648.0, 9}));
}

TEST(cast, scales_and_shifts_with_one_rounding) {
  std::vector<double> x(256);
  for (int i = 0; i < 256; ++i) x[static_cast<size_t>(i)] = i;
  for (const Dtype from : dtypes) {
    const std::vector<double> y = cast(from, Dtype::float32, x, 1 / 255.0, -0.1307);
    for (int i = 0; i < 256; ++i)
      EXPECT_EQ(y[static_cast<size_t>(i)], static_cast<float>(1 / 255.0 * i + -0.1307)) << name_of(from) << " " << i;
  }
}

TEST(cast, of_many_elements) {
  for (const Dtype from : dtypes) {
    std::vector<double> x(50001);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i % 251);
    EXPECT_EQ(cast(from, Dtype::int32, x), x);
  }
}

TEST(cast, to_the_same_type_keeps_every_bit) {
  const std::vector<double> x{-0.0, 1e-40, -1e-310, NAN, -NAN, INFINITY, 5};
  for (const Dtype dtype : dtypes) {
    const Cells in(dtype, {7}, x), out(dtype, {7});
    run_op("cast", {&in.tensor(), &out.tensor()}, {1, 0});
    EXPECT_TRUE(out.same_bytes(in)) << name_of(dtype);
    run_op("cast", {&in.tensor(), &in.tensor()}, {1, 0});
    EXPECT_TRUE(out.same_bytes(in)) << name_of(dtype);
  }
}

TEST(cast, refuses_what_does_not_fit) {
  expect_refused("cast", {reals({4}, 1), result({5})}, {1, 0}, "shape");
  expect_refused("cast", {reals({4}, 1), absent()}, {1, 0}, "missing");
}

}  // namespace receptive::test::cast_test
