#include "op_case.h"

namespace receptive::test::gather_test {

TEST(gather, takes_the_rows_named) {
  std::vector<double> index(3000);
  for (size_t i = 0; i < index.size(); ++i) index[i] = static_cast<double>(i * 7 % 50);
  const Dims x{50, 3, 11}, y{3000, 3, 11};
  const Operand rows = integers(x, 1, 0, 99), at = int32s({3000}, index);
  expect_agreement("gather", {rows, at, result(y)}, {}, 0, "float");
  for (const Operand::Kind kind : {Operand::Kind::int32, Operand::Kind::uint8}) {
    const OpRun run("gather", {{kind, x, rows.values, false}, at, {kind, y, {}, true}}, {}, Dtype::float32);
    for (int64_t i = 0; i < 3000 * 33; ++i) {
      ASSERT_EQ(run[2].at(i), rows.values[static_cast<size_t>(static_cast<int64_t>(index[static_cast<size_t>(i / 33)]) * 33 + i % 33)]);
    }
  }
}

TEST(gather, reports_a_bad_index_and_gives_zeros) {
  for (const double bad : {-1.0, 3.0, 2147483647.0, -2147483648.0}) {
    const OpRun run("gather", {values({3, 2}, {1, 2, 3, 4, 5, 6}), int32s({3}, {2, bad, 0}), result({3, 2})}, {}, Dtype::float32);
    EXPECT_NE(run.failure.find("gather: index " + std::to_string(static_cast<int64_t>(bad)) + " at 1"), std::string::npos) << run.failure;
    EXPECT_EQ(run[2].all(), (std::vector<double>{5, 6, 0, 0, 1, 2}));
  }
  const OpRun lookup("embedding", {values({3, 2}, {1, 2, 3, 4, 5, 6}), int32s({2}, {2, 3}), result({2, 2})}, {}, Dtype::float32);
  EXPECT_EQ(lookup.failure, "embedding: index 3 at 1, expected 0 to 2");
  EXPECT_EQ(lookup[2].all(), (std::vector<double>{5, 6, 0, 0}));
  const OpRun none("gather", {values({0, 2}, {}), int32s({1}, {0}), result({1, 2})}, {}, Dtype::float32);
  EXPECT_FALSE(none.failure.empty());
}

TEST(gather, of_scalars_and_of_nothing) {
  EXPECT_EQ(OpRun("gather", {values({3}, {5, 6, 7}), int32s({2}, {2, 0}), result({2})}, {}, Dtype::float64)[2].all(),
            (std::vector<double>{7, 5}));
  EXPECT_TRUE(OpRun("gather", {values({3, 0}, {}), int32s({2}, {2, 0}), result({2, 0})}, {}, Dtype::float64).failure.empty());
  EXPECT_TRUE(OpRun("gather", {values({3, 2}, {1, 2, 3, 4, 5, 6}), int32s({0}, {}), result({0, 2})}, {}, Dtype::float64).failure.empty());
}

TEST(gather, refuses_what_does_not_fit) {
  const Operand x = reals({4, 3}, 1), index = int32s({2}, {0, 1});
  expect_refused("gather", {x, reals({2}, 1), result({2, 3})}, {}, "index");
  expect_refused("gather", {x, int32s({2, 1}, {0, 1}), result({2, 3})}, {}, "rank");
  expect_refused("gather", {x, index, result({3, 3})}, {}, "shape");
  expect_refused("gather", {x, index, result({2, 4})}, {}, "shape");
  expect_refused("gather", {x, index, result({2})}, {}, "shape");
  expect_refused("gather", {x, index, int32_result({2, 3})}, {}, "output");
  expect_refused("gather", {reals({}, 1), index, result({2})}, {}, "scalar");
}

}  // namespace receptive::test::gather_test
