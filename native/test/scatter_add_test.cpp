#include "op_case.h"

namespace receptive::test::scatter_add_test {
namespace {

Operand rows_of(int64_t n, int64_t rows) {
  std::vector<double> index;
  for (int64_t i = 0; i < n; ++i) index.push_back(rows > 0 ? static_cast<double>(i * 7919 % rows) : -1);
  return int32s({n}, index);
}

TEST(scatter_add, adds_each_row_where_its_index_says) {
  const OpRun run("scatter_add", {values({3, 2}, {1, 2, 10, 20, 100, 200}), int32s({3}, {2, 0, 2}), result({4, 2})}, {-1}, Dtype::float32);
  EXPECT_EQ(run[2].all(), (std::vector<double>{10, 20, 0, 0, 101, 202, 0, 0}));
}

// Sums as they are defined, row by row.
std::vector<double> scattered(const Operand& g, const Operand& index, int64_t rows, int64_t width, int64_t skip) {
  std::vector<double> dx(static_cast<size_t>(rows * width), 0);
  for (size_t i = 0; i < index.values.size(); ++i) {
    const auto row = static_cast<int64_t>(index.values[i]);
    if (row < 0 || row >= rows || row == skip) continue;
    for (int64_t j = 0; j < width; ++j)
      dx[static_cast<size_t>(row * width + j)] += g.values[i * static_cast<size_t>(width) + static_cast<size_t>(j)];
  }
  return dx;
}

// Integers: sums are exact, so every path gives the same bits. The last cases are cut into chunks.
TEST(scatter_add, sums_rows_on_any_number_of_threads) {
  const struct {
    int64_t n, rows;
    Dims row;
  } cases[] = {{1, 1, {}},   {0, 3, {2}},       {5, 3, {0}},      {7, 4, {3, 5}},   {40, 9, {1}},        {3, 0, {4}},
               {9, 300, {}}, {4000, 301, {65}}, {9, 5000, {130}}, {200000, 7, {1}}, {100000, 70001, {2}}};
  for (const auto& c : cases) {
    Dims g{c.n}, dx{c.rows};
    g.insert(g.end(), c.row.begin(), c.row.end());
    dx.insert(dx.end(), c.row.begin(), c.row.end());
    const Operand gradient = integers(g, 1), index = rows_of(c.n, c.rows);
    for (const int64_t skip : {int64_t{-1}, c.rows - 1}) {
      const std::vector<double> attrs{static_cast<double>(skip)};
      const std::string name = std::to_string(c.n) + " rows to " + std::to_string(c.rows) + " but " + std::to_string(skip);
      expect_agreement("scatter_add", {gradient, index, result(dx)}, attrs, 0, name);
      const OpRun run("scatter_add", {gradient, index, result(dx)}, attrs, Dtype::float32);
      EXPECT_EQ(run[2].all(), scattered(gradient, index, c.rows, size_of_dims(c.row), skip)) << name;
    }
  }
}

TEST(scatter_add, an_index_that_names_no_row_adds_nothing) {
  const OpRun run("scatter_add", {values({4}, {1, 2, 3, 4}), int32s({4}, {-1, 2, 1, INT32_MIN}), result({2})}, {-1}, Dtype::float32);
  run[2].verify("an index out of range");
  EXPECT_EQ(run[2].all(), (std::vector<double>{0, 3}));
}

TEST(scatter_add, refuses_tensors_that_do_not_fit) {
  const Operand index = int32s({2}, {0, 1});
  expect_refused("scatter_add", {values({2, 3}, std::vector<double>(6)), index, result({4, 2})}, {-1}, "gradient has shape [2,3]");
  expect_refused("scatter_add", {values({3}, std::vector<double>(3)), index, result({4})}, {-1}, "gradient has shape [3]");
  expect_refused("scatter_add", {values({2}, {1, 2}), index, result({})}, {-1}, "output is a scalar");
  expect_refused("scatter_add", {values({2}, {1, 2}), int32s({1, 2}, {0, 1}), result({4})}, {-1}, "index has shape [1,2]");
  expect_refused("scatter_add", {values({2}, {1, 2}), bytes({2}, {0, 1}), result({4})}, {-1}, "index is uint8");
  expect_refused("scatter_add", {int32s({2}, {1, 2}), index, result({4})}, {-1}, "gradient is int32");
  expect_refused("scatter_add", {values({2}, {1, 2}), absent(), result({4})}, {-1}, "tensor 1 is missing");
  expect_refused("scatter_add", {values({2}, {1, 2}), index, result({4})}, {4}, "attribute 0");
  expect_refused("scatter_add", {values({2}, {1, 2}), index, result({4})}, {-2}, "attribute 0");
}

}  // namespace
}  // namespace receptive::test::scatter_add_test
