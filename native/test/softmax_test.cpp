#include "op_case.h"

namespace receptive::test::softmax_test {

namespace {

const Dims shapes[] = {{1}, {5}, {1, 1}, {64, 10}, {3, 16}, {7, 17}, {2, 5, 33}, {300, 100}, {3, 5000}, {0, 4}, {4, 0}};

// An exponential, a division, and a sum whose narrowest vectors add a quarter of the row in sequence.
double bound(const Dims& dims) { return 1e-6 + static_cast<double>(dims.back()) / 4 * 0x1p-24; }

}  // namespace

TEST(softmax, agrees_with_the_reference) {
  for (const Dims& dims : shapes) {
    for (const double log : {0, 1}) {
      expect_agreement("softmax", {reals(dims, 1, -9, 9), result(dims)}, {log}, bound(dims),
                       "softmax of " + std::to_string(size_of_dims(dims)));
    }
  }
}

TEST(softmax, gradient_agrees_with_the_reference) {
  for (const Dims& dims : shapes) {
    expect_agreement("softmax_backward", {reals(dims, 1, 0, 1), reals(dims, 2), result(dims)}, {0}, bound(dims), "softmax");
    expect_agreement("softmax_backward", {reals(dims, 1, -5, 0), reals(dims, 2), result(dims)}, {1}, bound(dims), "log softmax");
  }
}

TEST(softmax, is_stable_far_from_zero) {
  for (const double offset : {1e4, -1e4, 1e30}) {
    std::vector<double> x(40);
    for (size_t i = 0; i < x.size(); ++i) x[i] = offset + static_cast<double>(i % 7) * (std::fabs(offset) > 1e20 ? 0 : 1);
    for (const double log : {0, 1})
      expect_agreement("softmax", {values({2, 20}, x), result({2, 20})}, {log}, 1e-6, "offset " + std::to_string(offset));
  }
  expect_agreement("softmax", {values({1, 3}, {-INFINITY, 0, 1}), result({1, 3})}, {0}, 1e-6, "one infinite");
  expect_agreement("softmax", {values({1, 3}, {1e4, -1e4, 0}), result({1, 3})}, {1}, 1e-6, "wide");
}

TEST(softmax, nan_and_rows_without_a_maximum_give_nan) {
  for (const double bad : {static_cast<double>(NAN), static_cast<double>(INFINITY)}) {
    for (const size_t at : {0, 4, 18}) {
      std::vector<double> x(38, 1);
      x[at] = bad;
      for (const double log : {0, 1}) {
        each_isa([&](const KernelTable&) {
          const OpRun run("softmax", {values({2, 19}, x), result({2, 19})}, {log}, Dtype::float32);
          EXPECT_TRUE(std::isnan(run[1].at(static_cast<int64_t>(at))));
          EXPECT_NEAR(run[1].at(25), log ? -std::log(19) : 1.0 / 19, 1e-6) << "the other row";
        });
      }
    }
  }
}

TEST(softmax, works_in_place) {
  each_isa([&](const KernelTable&) {
    for (const double log : {0, 1}) {
      const Dims dims{9, 37};
      const Cells x(Dtype::float32, dims, reals(dims, 1, -5, 5).values), y(Dtype::float32, dims), same(Dtype::float32, dims, x.all());
      run_op("softmax", {&x.tensor(), &y.tensor()}, {log});
      run_op("softmax", {&same.tensor(), &same.tensor()}, {log});
      EXPECT_TRUE(same.same_bytes(y));
      const Cells g(Dtype::float32, dims, reals(dims, 2).values), dx(Dtype::float32, dims), over(Dtype::float32, dims, g.all());
      run_op("softmax_backward", {&y.tensor(), &g.tensor(), &dx.tensor()}, {log});
      run_op("softmax_backward", {&y.tensor(), &over.tensor(), &over.tensor()}, {log});
      EXPECT_TRUE(over.same_bytes(dx));
    }
  });
}

TEST(softmax, refuses_what_does_not_fit) {
  expect_refused("softmax", {reals({}, 1), result({})}, {0}, "scalar");
  expect_refused("softmax", {reals({3}, 1), result({4})}, {0}, "shape");
  expect_refused("softmax", {int32s({3}, {1, 2, 3}), int32_result({3})}, {0}, "int32");
  expect_refused("softmax_backward", {reals({3}, 1), reals({4}, 1), result({3})}, {0}, "shape");
  expect_refused("softmax_backward", {reals({3}, 1), reals({3}, 1), result({2})}, {0}, "shape");
  expect_refused("softmax_backward", {reals({3}, 1), int32s({3}, {1, 2, 3}), result({3})}, {0}, "int32");
}

}  // namespace receptive::test::softmax_test
