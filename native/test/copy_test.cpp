#include "op_case.h"

namespace receptive::test::copy_test {

namespace {

struct Layout {
  double offset;
  std::vector<double> strides;
};

std::vector<double> attributes(const std::vector<double>& dims, const Layout& x, const Layout& y) {
  std::vector<double> attrs{static_cast<double>(dims.size())};
  attrs.insert(attrs.end(), dims.begin(), dims.end());
  for (const Layout* layout : {&x, &y}) {
    attrs.push_back(layout->offset);
    attrs.insert(attrs.end(), layout->strides.begin(), layout->strides.end());
  }
  return attrs;
}

// Calls each(from, to) for every pair of cells the walks visit, in row-major order of the index.
template <class Each>
void walk(const std::vector<double>& dims, const Layout& x, const Layout& y, const Each& each) {
  int64_t total = 1;
  for (const double d : dims) total *= static_cast<int64_t>(d);
  for (int64_t i = 0; i < total; ++i) {
    double from = x.offset, to = y.offset;
    int64_t rest = i;
    for (size_t d = dims.size(); d-- > 0;) {
      from += static_cast<double>(rest % static_cast<int64_t>(dims[d])) * x.strides[d];
      to += static_cast<double>(rest % static_cast<int64_t>(dims[d])) * y.strides[d];
      rest /= static_cast<int64_t>(dims[d]);
    }
    each(static_cast<size_t>(from), static_cast<size_t>(to));
  }
}

// Copies within poisoned tensors of x_size and y_size, in every dtype, and holds every cell of y against a plain walk.
void check(int64_t x_size, int64_t y_size, const std::vector<double>& dims, const Layout& x, const Layout& y, const std::string& what) {
  std::vector<double> in(static_cast<size_t>(x_size)), expected(static_cast<size_t>(y_size), 99);
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<double>(i % 97);
  walk(dims, x, y, [&](size_t from, size_t to) { expected[to] = in[from]; });
  const int before = Pool::shared().threads();
  for (const Dtype dtype : {Dtype::float32, Dtype::float64, Dtype::int32, Dtype::uint8}) {
    for (int threads = 1; threads <= 3; ++threads) {
      Pool::shared().set_threads(threads);
      const Cells from(dtype, {x_size}, in), to(dtype, {y_size}, std::vector<double>(static_cast<size_t>(y_size), 99));
      run_op("copy", {&from.tensor(), &to.tensor()}, attributes(dims, x, y));
      to.verify(what);
      EXPECT_EQ(to.all(), expected) << what << " of " << name_of(dtype);
    }
  }
  Pool::shared().set_threads(before);
}

}  // namespace

TEST(copy, walks_both_operands_as_told) {
  check(1, 1, {}, {0, {}}, {0, {}}, "a scalar");
  check(100, 100, {100}, {0, {1}}, {0, {1}}, "all");
  check(70000, 70000, {70000}, {0, {1}}, {0, {1}}, "much");
  check(60, 12, {3, 4}, {21, {10, 1}}, {0, {4, 1}}, "a slice");
  check(60, 6, {2, 3}, {1, {20, 3}}, {0, {3, 1}}, "a slice with steps");
  check(12, 60, {3, 4}, {0, {4, 1}}, {21, {10, 1}}, "padding");
  check(30, 30, {30}, {29, {-1}}, {0, {1}}, "a reversal");
  check(30, 30, {5, 6}, {24, {-6, 1}}, {5, {6, -1}}, "a reversal on both sides");
  check(6, 60, {10, 6}, {0, {0, 1}}, {0, {6, 1}}, "an expansion of rows");
  check(6, 60, {6, 10}, {0, {1, 0}}, {0, {10, 1}}, "an expansion of columns");
  check(1, 50000, {50000}, {0, {0}}, {0, {1}}, "one value");
  check(35, 35, {5, 7}, {0, {1, 5}}, {0, {7, 1}}, "a transposition");
  check(130 * 257, 130 * 257, {130, 257}, {0, {1, 130}}, {0, {257, 1}}, "a transposition in tiles");
  check(4 * 50 * 60 * 3, 4 * 50 * 60 * 3, {4, 50, 60, 3}, {0, {9000, 60, 1, 3000}}, {0, {9000, 180, 3, 1}}, "NCHW to NHWC");
  check(4 * 50 * 60 * 3, 4 * 50 * 60 * 3, {4, 3, 50, 60}, {0, {9000, 1, 180, 3}}, {0, {9000, 3000, 60, 1}}, "NHWC to NCHW");
  check(720, 720, {2, 3, 4, 5, 6}, {0, {1, 2, 6, 24, 120}}, {0, {360, 120, 30, 6, 1}}, "all axes reversed");
  check(64, 64, {2, 2, 2, 2, 2, 2}, {0, {1, 4, 16, 2, 8, 32}}, {0, {32, 16, 8, 4, 2, 1}}, "six axes");
}

TEST(copy, of_nothing_touches_nothing) {
  check(4, 4, {0}, {0, {1}}, {0, {1}}, "an empty dimension");
  check(0, 4, {3, 0}, {0, {9, 9}}, {0, {1, 1}}, "an empty input");
}

TEST(copy, a_random_permutation_and_its_inverse_give_back_the_tensor) {
  std::mt19937 random(3);
  for (int round = 0; round < 40; ++round) {
    const size_t rank = 2 + random() % 4;
    std::vector<double> dims(rank), strides(rank), order(rank), permuted_dims(rank), permuted_strides(rank), there(rank);
    for (double& d : dims) d = 1 + static_cast<double>(random() % 9);
    double size = 1;
    for (size_t d = rank; d-- > 0; size *= dims[d]) strides[d] = size;
    for (size_t d = 0; d < rank; ++d) order[d] = static_cast<double>(d);
    std::shuffle(order.begin(), order.end(), random);
    for (size_t d = 0; d < rank; ++d) permuted_dims[d] = dims[static_cast<size_t>(order[d])];
    double stride = 1;
    for (size_t d = rank; d-- > 0; stride *= permuted_dims[d]) permuted_strides[d] = stride;
    for (size_t d = 0; d < rank; ++d) there[d] = strides[static_cast<size_t>(order[d])];
    const Dims all{static_cast<int64_t>(size)};
    const Cells x(Dtype::float32, all, reals(all, static_cast<uint32_t>(round)).values), y(Dtype::float32, all), z(Dtype::float32, all);
    run_op("copy", {&x.tensor(), &y.tensor()}, attributes(permuted_dims, {0, there}, {0, permuted_strides}));
    run_op("copy", {&y.tensor(), &z.tensor()}, attributes(permuted_dims, {0, permuted_strides}, {0, there}));
    EXPECT_TRUE(z.same_bytes(x)) << "round " << round;
  }
}

TEST(copy, refuses_every_walk_that_leaves_a_tensor) {
  const Operand x = reals({10}, 1), y = result({10});
  const auto refused = [&](const std::vector<double>& dims, const Layout& from, const Layout& to, const std::string& reason) {
    expect_refused("copy", {x, y}, attributes(dims, from, to), reason);
  };
  refused({11}, {0, {1}}, {0, {1}}, "input");
  refused({10}, {1, {1}}, {0, {1}}, "input");
  refused({10}, {0, {1}}, {1, {1}}, "output");
  refused({2}, {0, {10}}, {0, {1}}, "input");
  refused({2}, {0, {-1}}, {0, {1}}, "input");
  refused({3, 4}, {0, {4, 1}}, {0, {1, 3}}, "input");
  refused({3, 3}, {0, {3, 1}}, {0, {4, 1}}, "output");
  refused({1}, {10, {1}}, {0, {1}}, "input");
  refused({}, {10, {}}, {0, {}}, "input");
  refused({}, {0, {}}, {10, {}}, "output");
  refused({4}, {-1, {1}}, {0, {1}}, "attribute");
  refused({4}, {0, {0.5}}, {0, {1}}, "attribute");
  refused({4}, {NAN, {1}}, {0, {1}}, "attribute");
  refused({-4}, {0, {1}}, {0, {1}}, "attribute");
  // products that do not fit 64 bits
  const double huge = 9007199254740992;
  refused({huge, huge}, {0, {1, 1}}, {0, {1, 1}}, "input");
  refused({huge}, {0, {0}}, {0, {1}}, "output");
  refused({huge, huge, huge}, {0, {0, 0, 0}}, {0, {0, 0, 0}}, "twice");
  refused({2}, {0, {huge}}, {0, {1}}, "attribute");
}

TEST(copy, refuses_to_write_a_cell_twice) {
  const Operand x = reals({100}, 1), y = result({100});
  expect_refused("copy", {x, y}, attributes({4}, {0, {1}}, {0, {0}}), "twice");
  expect_refused("copy", {x, y}, attributes({4, 4}, {0, {4, 1}}, {0, {1, 1}}), "twice");
  expect_refused("copy", {x, y}, attributes({4, 4}, {0, {4, 1}}, {0, {3, 1}}), "twice");
  expect_refused("copy", {x, y}, attributes({4, 4}, {0, {4, 1}}, {9, {-3, 1}}), "twice");
}

// Adds to a tensor of y_size, in both dtypes, and holds every cell of it against plain sums, exact on these integers.
void check_sums(int64_t x_size, int64_t y_size, const std::vector<double>& dims, const Layout& x, const Layout& y,
                const std::string& what) {
  std::vector<double> in(static_cast<size_t>(x_size)), expected(static_cast<size_t>(y_size));
  for (size_t i = 0; i < in.size(); ++i) in[i] = static_cast<double>(i % 97) - 48;
  for (size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<double>(i % 89);
  const Operand before = updated(values({y_size}, expected));
  walk(dims, x, y, [&](size_t from, size_t to) { expected[to] += in[from]; });
  const OpRun run("accumulate", {values({x_size}, in), before}, attributes(dims, x, y), Dtype::float64);
  EXPECT_EQ(run[1].all(), expected) << what;
  expect_agreement("accumulate", {values({x_size}, in), before}, attributes(dims, x, y), 0, what);
}

TEST(accumulate, adds_along_both_walks) {
  check_sums(1, 1, {}, {0, {}}, {0, {}}, "a scalar");
  check_sums(100, 100, {100}, {0, {1}}, {0, {1}}, "all");
  check_sums(70000, 70000, {70000}, {0, {1}}, {0, {1}}, "much");
  check_sums(12, 60, {3, 4}, {0, {4, 1}}, {21, {10, 1}}, "into a slice");
  check_sums(60, 12, {3, 4}, {21, {10, 1}}, {0, {4, 1}}, "a slice");
  check_sums(6, 60, {2, 3}, {0, {3, 1}}, {1, {20, 3}}, "into a slice with steps");
  check_sums(30, 30, {30}, {29, {-1}}, {0, {1}}, "a reversal");
  check_sums(30, 30, {5, 6}, {5, {6, -1}}, {24, {-6, 1}}, "a reversal on both sides");
  check_sums(35, 35, {5, 7}, {0, {1, 5}}, {0, {7, 1}}, "a transposition");
  check_sums(1, 50000, {50000}, {0, {0}}, {0, {1}}, "one value, everywhere");
}

TEST(accumulate, sums_where_the_output_stays_at_a_cell) {
  check_sums(60, 6, {10, 6}, {0, {6, 1}}, {0, {0, 1}}, "rows");
  check_sums(60, 6, {6, 10}, {0, {10, 1}}, {0, {1, 0}}, "columns");
  check_sums(60000, 1, {60000}, {0, {1}}, {0, {0}}, "everything");
  check_sums(60000, 3, {200, 300}, {0, {300, 1}}, {2, {0, 0}}, "everything of two axes");
  check_sums(120, 20, {4, 3, 2, 5}, {0, {30, 10, 5, 1}}, {0, {5, 0, 0, 1}}, "two axes in the middle");
  check_sums(120, 12, {4, 3, 2, 5}, {0, {30, 10, 5, 1}}, {0, {0, 4, 1, 0}}, "the first and the last");
  check_sums(720, 120, {2, 3, 4, 5, 6}, {0, {360, 120, 30, 6, 1}}, {0, {60, 20, 5, 1, 0}}, "a last axis of five");
  check_sums(40000, 20000, {2, 20000}, {20000, {-20000, 1}}, {0, {0, 1}}, "rows from the last");
}

TEST(accumulate, of_nothing_adds_nothing) {
  check_sums(4, 4, {0}, {0, {1}}, {0, {1}}, "an empty dimension");
  check_sums(0, 4, {3, 0}, {0, {9, 9}}, {0, {1, 1}}, "an empty input");
}

TEST(accumulate, refuses_what_does_not_fit) {
  const Operand x = reals({100}, 1), y = updated(reals({100}, 2));
  expect_refused("accumulate", {x, y}, attributes({101}, {0, {1}}, {0, {0}}), "input");
  expect_refused("accumulate", {x, y}, attributes({4}, {0, {1}}, {97, {1}}), "output");
  expect_refused("accumulate", {x, y}, attributes({4, 4}, {0, {4, 1}}, {0, {3, 1}}), "twice");
  expect_refused("accumulate", {x, y}, attributes({4, 4, 4}, {0, {16, 4, 1}}, {0, {0, 3, 1}}), "twice");
  expect_refused("accumulate", {x, int32_result({100})}, attributes({4}, {0, {1}}, {0, {1}}), "output is int32");
  expect_refused("accumulate", {int32_result({100}), int32_result({100})}, attributes({4}, {0, {1}}, {0, {1}}), "float");
  const Cells same(Dtype::float32, {10});
  EXPECT_THROW(run_op("accumulate", {&same.tensor(), &same.tensor()}, attributes({4}, {0, {1}}, {5, {1}})), OpError);
}

TEST(copy, refuses_what_does_not_fit) {
  const Operand x = reals({10}, 1);
  expect_refused("copy", {x, int32_result({10})}, attributes({4}, {0, {1}}, {0, {1}}), "output is int32");
  expect_refused("copy", {x, result({10})}, {1, 4, 0, 1, 0}, "attributes");
  expect_refused("copy", {x, result({10})}, {7}, "attribute 0");
  const Cells same(Dtype::float32, {10});
  EXPECT_THROW(run_op("copy", {&same.tensor(), &same.tensor()}, attributes({4}, {0, {1}}, {5, {1}})), OpError);
}

}  // namespace receptive::test::copy_test
