#include "pool_cases.h"

namespace receptive::test::max_unpool2d_test {

TEST(max_unpool2d, gradient_agrees_with_the_reference) {
  for (const PoolCase& c : pool_cases()) {
    for (const int64_t C : pool_channels) {
      const OpRun pool("max_pool2d", {integers(c.x(C), 1), result(c.y(C)), byte_result(c.y(C))}, clipped(c.attrs), Dtype::float32);
      expect_agreement("max_unpool2d_backward", {reals(c.x(C), 2), bytes(c.y(C), pool[2].all()), result(c.y(C))}, c.attrs, 0, c.name);
    }
  }
}

// The gradient that comes back at a maximum is the one that argmax names: pooling the image by its own argmax gives its maxima.
TEST(max_unpool2d, reads_the_cells_that_the_pool_chose) {
  for (const PoolCase& c : pool_cases()) {
    if (std::string(c.name) == "windows in the padding" || std::string(c.name) == "taps astride a small image") continue;
    const Operand x = reals(c.x(17), 1);
    each_isa([&](const KernelTable&) {
      const OpRun pool("max_pool2d", {x, result(c.y(17)), byte_result(c.y(17))}, clipped(c.attrs), Dtype::float32);
      const OpRun gradient("max_unpool2d_backward", {x, bytes(c.y(17), pool[2].all()), result(c.y(17))}, c.attrs, Dtype::float32);
      EXPECT_EQ(gradient[2].all(), pool[1].all()) << c.name;
    });
  }
}

// argmax comes from JavaScript: any byte may stand in it, and any 32 bits.
TEST(max_unpool2d, an_argmax_of_any_bytes_stays_in_the_image) {
  std::mt19937 random(1);
  for (const PoolCase& c : pool_cases()) {
    for (const int64_t C : {1, 17}) {
      std::vector<double> any(static_cast<size_t>(size_of_dims(c.y(C))));
      for (double& v : any) v = static_cast<double>(random() % 256);
      expect_agreement("max_unpool2d_backward", {integers(c.x(C), 2), bytes(c.y(C), any), result(c.y(C))}, c.attrs, 0, c.name);
    }
  }
  const Dims x{2, 20, 20, 3}, y{2, 4, 4, 3};
  std::vector<double> any(static_cast<size_t>(size_of_dims(y)));
  for (size_t i = 0; i < any.size(); ++i) any[i] = i % 3 == 0 ? -2147483648.0 : i % 3 == 1 ? 2147483647.0 : static_cast<double>(i);
  expect_agreement("max_unpool2d_backward", {integers(x, 2), int32s(y, any), result(y)}, {17, 17, 1, 1, 0, 0, 0, 0, 1, 1}, 0, "wide");
}

TEST(max_unpool2d, refuses_what_does_not_fit) {
  const std::vector<double> attrs{2, 2, 2, 2, 0, 0, 0, 0, 1, 1};
  const Operand g = reals({1, 6, 6, 3}, 1);
  const Dims y{1, 3, 3, 3};
  expect_refused("max_unpool2d_backward", {g, byte_result({1, 3, 3, 2}), result(y)}, attrs, "argmax has shape [1,3,3,2]");
  expect_refused("max_unpool2d_backward", {g, int32_result(y), result(y)}, attrs, "argmax is int32");
  expect_refused("max_unpool2d_backward", {g, byte_result(y), int32_result(y)}, attrs, "input's gradient is int32");
  expect_refused("max_unpool2d_backward", {g, byte_result({1, 3, 4, 3}), result({1, 3, 4, 3})}, attrs, "width");
  expect_refused("max_unpool2d_backward", {g, absent(), result(y)}, attrs, "tensor 1 is missing");
}

}  // namespace receptive::test::max_unpool2d_test
