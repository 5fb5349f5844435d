#include "op_case.h"

namespace receptive::test::confusion_test {

TEST(confusion, counts_labels_by_what_they_were_taken_for) {
  const OpRun run("confusion", {int32s({6}, {0, 1, 2, 1, 1, 2}), int32s({6}, {0, 1, 1, 1, 0, 2}), int32_result({3, 3})}, {},
                  Dtype::float32);
  EXPECT_EQ(run.failure, "");
  EXPECT_EQ(run[2].all(), (std::vector<double>{1, 0, 0, 1, 2, 0, 0, 1, 1}));
  run[2].verify("counts");
}

TEST(confusion, of_no_samples_and_of_no_classes) {
  EXPECT_EQ(OpRun("confusion", {int32s({0}, {}), int32s({0}, {}), int32_result({1, 1})}, {}, Dtype::float32)[2].all(),
            (std::vector<double>{0}));
  EXPECT_NE(OpRun("confusion", {int32s({1}, {0}), int32s({1}, {0}), int32_result({0, 0})}, {}, Dtype::float32).failure, "");
}

TEST(confusion, reports_a_class_out_of_range_and_counts_the_others) {
  for (const double bad : {-1.0, 2.0, 2147483647.0, -2147483648.0}) {
    for (const bool label : {true, false}) {
      const std::vector<double> wrong{0, bad, 1}, right{0, 1, 1};
      const OpRun run("confusion", {int32s({3}, label ? wrong : right), int32s({3}, label ? right : wrong), int32_result({2, 2})}, {},
                      Dtype::float32);
      EXPECT_NE(run.failure.find("of sample 1: not both in 0 to 1"), std::string::npos) << run.failure;
      EXPECT_EQ(run[2].all(), (std::vector<double>{1, 0, 0, 1}));
      run[2].verify("counts");
    }
  }
}

TEST(confusion, refuses_what_does_not_fit) {
  const Operand labels = int32s({2}, {0, 1}), y = int32_result({2, 2});
  expect_refused("confusion", {reals({2}, 1), labels, y}, {}, "labels");
  expect_refused("confusion", {int32s({1, 2}, {0, 1}), labels, y}, {}, "labels");
  expect_refused("confusion", {labels, int32s({3}, {0, 1, 1}), y}, {}, "guesses");
  expect_refused("confusion", {labels, reals({2}, 1), y}, {}, "guesses");
  expect_refused("confusion", {labels, labels, int32_result({2, 3})}, {}, "as many rows as columns");
  expect_refused("confusion", {labels, labels, int32_result({4})}, {}, "as many rows as columns");
  expect_refused("confusion", {labels, labels, result({2, 2})}, {}, "output");
}

}  // namespace receptive::test::confusion_test
