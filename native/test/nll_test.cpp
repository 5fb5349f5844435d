#include "../ops/cross_entropy.h"
#include "op_case.h"

namespace receptive::test::nll_test {

namespace {

const double kNone = static_cast<double>(Reduction::none), kMean = static_cast<double>(Reduction::mean),
             kSum = static_cast<double>(Reduction::sum);

Dims loss_dims(double reduction, int64_t n) { return reduction == kNone ? Dims{n} : Dims{}; }

}  // namespace

TEST(nll, float32_agrees_with_float64_for_every_option) {
  for (const int64_t n : {0, 1, 3, 64, 40000}) {
    for (const int64_t classes : {1, 2, 17}) {
      std::vector<double> labels;
      for (int64_t i = 0; i < n; ++i) labels.push_back(i % 5 == 3 ? -1 : static_cast<double>(i * 7 % classes));
      for (const double reduction : {kNone, kMean, kSum}) {
        for (const bool weighted : {false, true}) {
          const Operand weights = weighted ? reals({classes}, 9, 0.5f, 2) : absent();
          const std::string what = std::to_string(n) + "x" + std::to_string(classes) + " reduction " + std::to_string(reduction);
          expect_agreement("nll", {reals({n, classes}, 1, -9, 0), int32s({n}, labels), weights, result(loss_dims(reduction, n))},
                           {reduction, -1}, 1e-7, what);
          expect_agreement("nll_backward", {result({n, classes}), int32s({n}, labels), weights, reals(loss_dims(reduction, n), 3)},
                           {reduction, -1}, 1e-7, what);
        }
      }
    }
  }
}

TEST(nll, is_what_the_formula_says) {
  const Operand x = values({3, 2}, {-1, -2, -3, -4, -5, -6}), labels = int32s({3}, {1, 0, -100}), weights = values({2}, {2, 3});
  const auto loss = [&](double reduction, const Operand& w) {
    return OpRun("nll", {x, labels, w, result(loss_dims(reduction, 3))}, {reduction, -100}, Dtype::float64)[3].all();
  };
  EXPECT_EQ(loss(kNone, absent()), (std::vector<double>{2, 3, 0}));
  EXPECT_EQ(loss(kMean, absent()), (std::vector<double>{2.5}));
  EXPECT_EQ(loss(kNone, weights), (std::vector<double>{6, 6, 0}));
  EXPECT_EQ(loss(kSum, weights), (std::vector<double>{12}));
  EXPECT_EQ(loss(kMean, weights), (std::vector<double>{12.0 / 5}));
  const OpRun gradient("nll_backward", {result({3, 2}), labels, weights, values({}, {10})}, {kMean, -100}, Dtype::float64);
  EXPECT_EQ(gradient[0].all(), (std::vector<double>{0, -6, -4, 0, 0, 0}));
}

TEST(nll, reports_a_bad_label) {
  for (const double bad : {-1.0, 2.0, 2147483647.0, -2147483648.0}) {
    const Operand labels = int32s({2}, {0, bad});
    const OpRun run("nll", {values({2, 2}, {-1, -2, -3, -4}), labels, absent(), result({2})}, {kNone, -100}, Dtype::float32);
    EXPECT_NE(run.failure.find("of row 1 is not in 0 to 1"), std::string::npos) << run.failure;
    EXPECT_EQ(run[3].at(0), 1);
    EXPECT_TRUE(std::isnan(run[3].at(1)));
    const OpRun gradient("nll_backward", {result({2, 2}), labels, absent(), values({2}, {1, 1})}, {kNone, -100}, Dtype::float32);
    EXPECT_EQ(gradient[0].all(), (std::vector<double>{-1, 0, 0, 0}));
  }
}

TEST(nll, refuses_what_does_not_fit) {
  const Operand x = reals({3, 2}, 1), labels = int32s({3}, {0, 1, 0});
  expect_refused("nll", {reals({6}, 1), labels, absent(), result({3})}, {kNone, -100}, "rank");
  expect_refused("nll", {x, int32s({2}, {0, 1}), absent(), result({3})}, {kNone, -100}, "labels have shape [2], expected [3]");
  expect_refused("nll", {x, reals({3}, 1), absent(), result({3})}, {kNone, -100}, "labels");
  expect_refused("nll", {x, labels, reals({3}, 1), result({3})}, {kNone, -100}, "weights");
  expect_refused("nll", {x, labels, absent(), result({2})}, {kNone, -100}, "loss has shape [2]");
  expect_refused("nll", {x, labels, absent(), result({3})}, {kSum, -100}, "expected a scalar");
  expect_refused("nll", {x, labels, absent(), result({3})}, {3, -100}, "attribute 0");
  expect_refused("nll", {x, labels, absent(), result({3})}, {kNone, 0.5}, "attribute 1");
  expect_refused("nll", {reals({3, 0}, 1), labels, absent(), result({3})}, {kNone, -100}, "no classes");
  expect_refused("nll_backward", {result({3, 2}), labels, absent(), reals({}, 1)}, {kNone, -100}, "gradient has shape []");
}

}  // namespace receptive::test::nll_test
