#include "op_case.h"

namespace receptive::test::prelu_test {

namespace {

struct Case {
  Dims x;
  int64_t weights;
};
const Case cases[] = {
    {{}, 1},         {{1}, 1},          {{7}, 7},          {{16}, 1},           {{3, 3}, 3},     {{5, 15}, 15},
    {{9, 16}, 16},   {{70, 17}, 17},    {{4, 5, 6, 3}, 3}, {{2, 9, 9, 1}, 1},   {{130, 64}, 64}, {{100, 130}, 130},
    {{40000, 3}, 3}, {{300, 200}, 200}, {{123457}, 1},     {{2, 40000}, 40000}, {{0, 3}, 3},     {{3, 0}, 0},
    {{0}, 1},
};

std::string name_of(const Case& c) { return std::to_string(size_of_dims(c.x)) + " by " + std::to_string(c.weights); }

}  // namespace

TEST(prelu, agrees_with_the_reference) {
  for (const Case& c : cases) {
    expect_agreement("prelu", {reals(c.x, 1), reals({c.weights}, 2), result(c.x)}, {}, 1e-7, name_of(c));
  }
}

TEST(prelu, gradients_agree_with_the_reference) {
  for (const Case& c : cases) {
    const Operand x = reals(c.x, 1), weight = reals({c.weights}, 2), g = reals(c.x, 3), dweight = result({c.weights});
    expect_agreement("prelu_backward", {x, weight, g, result(c.x), dweight}, {}, 1e-6, name_of(c));
    expect_agreement("prelu_backward", {x, weight, g, absent(), dweight}, {}, 1e-6, name_of(c) + ", only the weight's");
    expect_agreement("prelu_backward", {x, weight, g, result(c.x), absent()}, {}, 1e-7, name_of(c) + ", only the input's");
  }
}

TEST(prelu, the_slope_holds_at_zero_and_nan_passes) {
  for (const double special : {0.0, -0.0, static_cast<double>(NAN), static_cast<double>(INFINITY), -static_cast<double>(INFINITY)}) {
    const Operand x = values({3}, {special, 1, -2});
    expect_agreement("prelu", {x, values({1}, {0.5}), result({3})}, {}, 0, "special");
    expect_agreement("prelu_backward", {x, values({1}, {0.5}), values({3}, {2, 3, 4}), result({3}), result({1})}, {}, 0, "special");
  }
}

TEST(prelu, refuses_what_does_not_fit) {
  const Operand x = reals({4, 3}, 1), w = reals({3}, 2);
  expect_refused("prelu", {x, reals({2}, 1), result({4, 3})}, {}, "weight has 2 numbers, expected 1 or 3");
  expect_refused("prelu", {x, reals({3, 1}, 1), result({4, 3})}, {}, "weight");
  expect_refused("prelu", {x, w, result({3, 4})}, {}, "output");
  expect_refused("prelu", {int32s({2}, {1, 2}), w, result({2})}, {}, "input is int32");
  expect_refused("prelu_backward", {x, w, reals({3, 4}, 1), result({4, 3}), result({3})}, {}, "gradient");
  expect_refused("prelu_backward", {x, w, x, result({12}), result({3})}, {}, "input's gradient");
  expect_refused("prelu_backward", {x, w, x, result({4, 3}), result({4})}, {}, "weight's gradient");
}

}  // namespace receptive::test::prelu_test
