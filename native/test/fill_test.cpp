#include "op_case.h"

namespace receptive::test::fill_test {

TEST(fill, sets_every_element_of_every_dtype) {
  for (const Dtype dtype : {Dtype::float32, Dtype::float64, Dtype::int32, Dtype::uint8}) {
    for (const int64_t n : {0, 1, 17, 100000}) {
      const Cells y(dtype, {n});
      run_op("fill", {&y.tensor()}, {3});
      y.verify(name_of(dtype));
      EXPECT_EQ(y.all(), std::vector<double>(static_cast<size_t>(n), 3)) << name_of(dtype);
    }
  }
  const Cells nan(Dtype::float32, {}, {1});
  run_op("fill", {&nan.tensor()}, {NAN});
  EXPECT_TRUE(std::isnan(nan.at(0)));
}

TEST(fill, refuses_what_does_not_fit) {
  for (const double value : {-1.0, 256.0, 0.5, static_cast<double>(NAN)})
    expect_refused("fill", {byte_result({2})}, {value}, "attribute 0");
  expect_refused("fill", {int32_result({2})}, {2147483648.0}, "attribute 0");
}

}  // namespace receptive::test::fill_test
