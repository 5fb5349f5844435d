#include "op_case.h"

namespace receptive::test::label_rank_test {

namespace {

std::vector<double> some_labels(int64_t rows, int64_t classes) {
  std::vector<double> labels;
  for (int64_t r = 0; r < rows; ++r) labels.push_back(static_cast<double>(r * 7 % classes));
  return labels;
}

}  // namespace

// Small integers, so that many scores are equal: against a stable sort.
TEST(label_rank, is_the_place_in_a_stable_sort) {
  for (const Dims& d : {Dims{0, 3}, Dims{1, 1}, Dims{5, 2}, Dims{100, 17}, Dims{7, 20000}, Dims{3000, 10}}) {
    const Operand x = integers(d, 3, -3, 3);
    const std::vector<double> labels = some_labels(d[0], d[1]);
    expect_agreement("label_rank", {x, int32s({d[0]}, labels), int32_result({d[0]})}, {}, 0, "float32 and float64");
    const OpRun run("label_rank", {x, int32s({d[0]}, labels), int32_result({d[0]})}, {}, Dtype::float32);
    for (int64_t r = 0; r < d[0]; ++r) {
      std::vector<int64_t> order(static_cast<size_t>(d[1]));
      for (int64_t c = 0; c < d[1]; ++c) order[static_cast<size_t>(c)] = c;
      const double* row = x.values.data() + r * d[1];
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return row[a] > row[b]; });
      const auto label = static_cast<int64_t>(labels[static_cast<size_t>(r)]);
      ASSERT_EQ(run[2].at(r), std::find(order.begin(), order.end(), label) - order.begin());
    }
  }
}

TEST(label_rank, nan_is_the_greatest_as_for_argmax) {
  const OpRun run("label_rank",
                  {values({4, 3}, {1, NAN, 2, 1, NAN, 2, NAN, 1, NAN, NAN, 1, NAN}), int32s({4}, {1, 2, 0, 2}), int32_result({4})}, {},
                  Dtype::float64);
  EXPECT_EQ(run[2].all(), (std::vector<double>{0, 1, 0, 1}));
}

TEST(label_rank, reports_a_label_out_of_range) {
  for (const double bad : {-1.0, 3.0, 2147483647.0}) {
    const OpRun run("label_rank", {values({2, 3}, {1, 2, 3, 1, 2, 3}), int32s({2}, {2, bad}), int32_result({2})}, {}, Dtype::float32);
    EXPECT_EQ(run.failure, "topK: label " + std::to_string(static_cast<int64_t>(bad)) + " of row 1 is not in 0 to 2");
    EXPECT_EQ(run[2].all(), (std::vector<double>{0, 3}));
  }
}

TEST(label_rank, refuses_what_does_not_fit) {
  const Operand x = reals({4, 3}, 1), labels = int32s({4}, {0, 1, 2, 0}), y = int32_result({4});
  expect_refused("label_rank", {int32s({1, 1}, {1}), int32s({1}, {0}), int32_result({1})}, {}, "scores is int32");
  expect_refused("label_rank", {reals({4}, 1), labels, y}, {}, "scores");
  expect_refused("label_rank", {reals({4, 0}, 1), labels, y}, {}, "no classes");
  expect_refused("label_rank", {x, reals({4}, 1), y}, {}, "labels");
  expect_refused("label_rank", {x, int32s({3}, {0, 1, 2}), y}, {}, "one for each row");
  expect_refused("label_rank", {x, labels, int32_result({5})}, {}, "output");
  expect_refused("label_rank", {x, labels, result({4})}, {}, "output");
  const Cells scores(Dtype::float32, {4, 3}), both(Dtype::int32, {4});
  EXPECT_THROW(run_op("label_rank", {&scores.tensor(), &both.tensor(), &both.tensor()}, {}), OpError);
}

}  // namespace receptive::test::label_rank_test
