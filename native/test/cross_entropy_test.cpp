#include "../ops/cross_entropy.h"

#include "op_case.h"

namespace receptive::test::cross_entropy_test {

namespace {

constexpr double kIgnored = -100;
const double kNone = static_cast<double>(Reduction::none), kMean = static_cast<double>(Reduction::mean),
             kSum = static_cast<double>(Reduction::sum);

std::vector<double> some_labels(int64_t n, int64_t classes) {
  std::vector<double> labels;
  for (int64_t i = 0; i < n; ++i) labels.push_back(i % 5 == 3 ? kIgnored : static_cast<double>(i * 7 % classes));
  return labels;
}

Dims loss_dims(double reduction, int64_t n) { return reduction == kNone ? Dims{n} : Dims{}; }

template <class Body>
void each_option(const Body& body) {
  for (const int64_t n : {1, 3, 64, 1000}) {
    for (const int64_t classes : {1, 2, 10, 16, 17, 100}) {
      for (const double reduction : {kNone, kMean, kSum}) {
        for (const double smoothing : {0.0, 0.1, 1.0}) {
          for (const bool weighted : {false, true}) {
            const std::string what = std::to_string(n) + "x" + std::to_string(classes) + " reduction " + std::to_string(reduction) +
                                     " smoothing " + std::to_string(smoothing) + (weighted ? " weighted" : "");
            body(n, classes, reduction, smoothing, weighted ? reals({classes}, 9, 0.5f, 2) : absent(), what);
          }
        }
      }
    }
  }
}

}  // namespace

TEST(cross_entropy, agrees_with_the_reference_for_every_option) {
  each_option([](int64_t n, int64_t classes, double reduction, double smoothing, const Operand& weights, const std::string& what) {
    expect_agreement("cross_entropy",
                     {reals({n, classes}, 1, -9, 9), int32s({n}, some_labels(n, classes)), weights, result(loss_dims(reduction, n)),
                      result({n, classes})},
                     {reduction, smoothing, kIgnored}, 1e-6, what);
  });
}

// Targets from 0 to 1 that need not add up to 1, with zeros among them.
Operand some_targets(int64_t n, int64_t classes) {
  Operand targets = reals({n, classes}, 5, 0, 1);
  for (size_t i = 1; i < targets.values.size(); i += 3) targets.values[i] = 0;
  return targets;
}

TEST(cross_entropy, with_probabilities_agrees_with_the_reference_for_every_option) {
  each_option([](int64_t n, int64_t classes, double reduction, double smoothing, const Operand& weights, const std::string& what) {
    const Operand targets = some_targets(n, classes);
    expect_agreement("cross_entropy",
                     {reals({n, classes}, 1, -9, 9), targets, weights, result(loss_dims(reduction, n)), result({n, classes})},
                     {reduction, smoothing, kIgnored}, 2e-6, what);
    expect_agreement("cross_entropy_backward",
                     {reals({n, classes}, 1, 0, 1), targets, weights, reals(loss_dims(reduction, n), 3), result({n, classes})},
                     {reduction, smoothing, kIgnored}, 2e-6, what);
  });
}

TEST(cross_entropy, of_probabilities_that_are_0_and_1_is_that_of_labels) {
  const Operand logits = reals({5, 3}, 1, -9, 9), labels = int32s({5}, {2, 0, 1, 1, 2}),
                targets = values({5, 3}, {0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1});
  for (const Dtype real : {Dtype::float32, Dtype::float64}) {
    for (const double smoothing : {0.0, 0.1}) {
      const auto run = [&](const std::string& op, const Operand& of) {
        return OpRun(op, {logits, of, absent(), op == "cross_entropy" ? result({}) : reals({}, 3), result({5, 3})},
                     {kMean, smoothing, kIgnored}, real);
      };
      EXPECT_NEAR(run("cross_entropy", targets)[3].at(0), run("cross_entropy", labels)[3].at(0), 1e-6);
      EXPECT_LE(error_of(run("cross_entropy_backward", targets)[4], run("cross_entropy_backward", labels)[4]), 1e-6);
    }
  }
}

// A class of probability 0 adds nothing, whatever its logit.
TEST(cross_entropy, a_probability_of_0_counts_for_nothing_beside_a_logit_of_minus_infinity) {
  expect_agreement("cross_entropy",
                   {values({2, 2}, {0, -INFINITY, 0, -INFINITY}), values({2, 2}, {1, 0, 0.5, 0.5}), absent(), result({2}), result({2, 2})},
                   {kNone, 0, kIgnored}, 0, "minus infinity");
}

TEST(cross_entropy, gradient_agrees_with_the_reference_for_every_option) {
  each_option([](int64_t n, int64_t classes, double reduction, double smoothing, const Operand& weights, const std::string& what) {
    expect_agreement("cross_entropy_backward",
                     {reals({n, classes}, 1, 0, 1), int32s({n}, some_labels(n, classes)), weights, reals(loss_dims(reduction, n), 3),
                      result({n, classes})},
                     {reduction, smoothing, kIgnored}, 1e-6, what);
  });
}

// Worked by hand: log-softmax of [0, log 3] is [log 1/4, log 3/4].
TEST(cross_entropy, is_what_the_formula_says) {
  const Operand logits = values({2, 2}, {0, std::log(3.0), 0, std::log(3.0)}), labels = int32s({2}, {0, 1});
  const auto loss = [&](double reduction, double smoothing, const Operand& weights) {
    return OpRun("cross_entropy", {logits, labels, weights, result(loss_dims(reduction, 2)), result({2, 2})},
                 {reduction, smoothing, kIgnored}, Dtype::float64)[3]
        .all();
  };
  const double a = -std::log(0.25), b = -std::log(0.75);
  EXPECT_NEAR(loss(kNone, 0, absent())[0], a, 1e-12);
  EXPECT_NEAR(loss(kNone, 0, absent())[1], b, 1e-12);
  EXPECT_NEAR(loss(kMean, 0, absent())[0], (a + b) / 2, 1e-12);
  EXPECT_NEAR(loss(kSum, 0, absent())[0], a + b, 1e-12);
  EXPECT_NEAR(loss(kMean, 0, values({2}, {1, 3}))[0], (a + 3 * b) / 4, 1e-12);
  EXPECT_NEAR(loss(kSum, 0.2, absent())[0], 0.8 * (a + b) + 0.2 * (a + b), 1e-12);
  EXPECT_NEAR(loss(kNone, 0.2, values({2}, {1, 3}))[0], 0.8 * a + 0.1 * (a + 3 * b), 1e-12);
  const OpRun soft("cross_entropy", {logits, values({2, 2}, {0.75, 0.25, 0, 1}), values({2}, {1, 3}), result({}), result({2, 2})},
                   {kMean, 0.2, kIgnored}, Dtype::float64);
  EXPECT_NEAR(soft[3].at(0), (0.7 * a + 0.3 * 3 * b + 0.1 * a + 0.9 * 3 * b) / 2, 1e-12) << "the mean is over rows";
}

TEST(cross_entropy, is_stable_far_from_zero) {
  expect_agreement("cross_entropy",
                   {values({2, 3}, {1e4, -1e4, 0, -1e4, -1e4, -1e4}), int32s({2}, {1, 2}), absent(), result({2}), result({2, 3})},
                   {kNone, 0, kIgnored}, 1e-6, "logits of 1e4");
}

TEST(cross_entropy, reports_a_label_that_is_no_class) {
  for (const double bad : {-1.0, 3.0, 2147483647.0, -2147483648.0}) {
    const std::string message = "crossEntropy: label " + std::to_string(static_cast<int64_t>(bad)) + " of row 1 is not in 0 to 2";
    const Operand labels = int32s({3}, {2, bad, 0});
    each_isa([&](const KernelTable&) {
      for (const Dtype real : {Dtype::float32, Dtype::float64}) {
        const OpRun rows("cross_entropy", {reals({3, 3}, 1), labels, absent(), result({3}), result({3, 3})}, {kNone, 0.1, kIgnored}, real);
        EXPECT_EQ(rows.failure, message);
        EXPECT_TRUE(std::isfinite(rows[3].at(0)) && std::isnan(rows[3].at(1)) && std::isfinite(rows[3].at(2)));
        const OpRun mean("cross_entropy", {reals({3, 3}, 1), labels, absent(), result({}), result({3, 3})}, {kMean, 0, kIgnored}, real);
        EXPECT_EQ(mean.failure, message);
        EXPECT_TRUE(std::isnan(mean[3].at(0)));
        const OpRun back("cross_entropy_backward", {reals({3, 3}, 1, 0, 1), labels, reals({3}, 2), reals({}, 3), result({3, 3})},
                         {kMean, 0.1, kIgnored}, real);
        for (int c = 0; c < 3; ++c) EXPECT_EQ(back[4].at(3 + c), 0);
      }
    });
  }
}

TEST(cross_entropy, the_ignored_label_may_be_a_class) {
  expect_agreement("cross_entropy", {reals({4, 3}, 1), int32s({4}, {2, 1, 0, 2}), absent(), result({}), result({4, 3})}, {kMean, 0, 2},
                   1e-6, "2");
  const OpRun none("cross_entropy", {reals({2, 3}, 1), int32s({2}, {2, 2}), absent(), result({}), result({2, 3})}, {kMean, 0, 2},
                   Dtype::float32);
  EXPECT_TRUE(std::isnan(none[3].at(0))) << "a mean over no rows";
  EXPECT_EQ(none.failure, "");
}

TEST(cross_entropy, refuses_what_does_not_fit) {
  const Operand x = reals({4, 3}, 1), labels = int32s({4}, {0, 1, 2, 0}), probs = result({4, 3});
  const auto refused = [&](const std::vector<Operand>& operands, const std::vector<double>& attrs, const std::string& reason) {
    expect_refused("cross_entropy", operands, attrs, reason);
    expect_refused("cross_entropy_backward", operands, attrs, reason);
  };
  refused({x, int32s({3}, {0, 1, 2}), absent(), result({}), probs}, {kMean, 0, kIgnored}, "3 labels for 4 rows");
  refused({x, reals({4}, 1), absent(), result({}), probs}, {kMean, 0, kIgnored}, "labels has shape [4]");
  refused({x, reals({4, 2}, 1), absent(), result({}), probs}, {kMean, 0, kIgnored}, "labels has shape [4,2]");
  refused({x, bytes({4}, {0, 1, 2, 0}), absent(), result({}), probs}, {kMean, 0, kIgnored}, "labels are uint8");
  refused({x, labels, reals({4}, 1), result({}), probs}, {kMean, 0, kIgnored}, "4 weights for 3 classes");
  refused({x, labels, absent(), result({4}), probs}, {kMean, 0, kIgnored}, "rank 0");
  refused({x, labels, absent(), result({}), probs}, {kNone, 0, kIgnored}, "rank 1");
  refused({x, labels, absent(), result({3}), probs}, {kNone, 0, kIgnored}, "expected 4");
  refused({x, labels, absent(), result({}), result({3, 4})}, {kMean, 0, kIgnored}, "shape");
  refused({x, labels, absent(), result({}), probs}, {kMean, 1.5, kIgnored}, "attribute 1");
  refused({x, labels, absent(), result({}), probs}, {3, 0, kIgnored}, "attribute 0");
  refused({x, labels, absent(), result({}), probs}, {kMean, 0, 0.5}, "attribute 2");
  refused({reals({4, 3, 1}, 1), labels, absent(), result({}), probs}, {kMean, 0, kIgnored}, "rank 2");
  refused({reals({4, 0}, 1), labels, absent(), result({}), result({4, 0})}, {kMean, 0, kIgnored}, "no classes");
}

}  // namespace receptive::test::cross_entropy_test
