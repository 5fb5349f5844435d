#include "op_case.h"

namespace receptive::test::where_test {

TEST(where, agrees_for_every_broadcast) {
  const struct {
    Dims condition, a, b, y;
  } shapes[] = {
      {{}, {}, {}, {}},
      {{0}, {0}, {}, {0}},
      {{17}, {17}, {17}, {17}},
      {{5, 7}, {}, {7}, {5, 7}},
      {{}, {5, 1}, {1, 7}, {5, 7}},
      {{2, 1, 3, 1}, {4, 1, 5}, {1}, {2, 4, 3, 5}},
      {{3, 40000}, {40000}, {3, 1}, {3, 40000}},
      {{3, 0, 2}, {1, 2}, {2}, {3, 0, 2}},
  };
  for (const auto& s : shapes) {
    const Operand condition = integers(s.condition, 1, 0, 1);
    const std::vector<Operand> choices{condition, reals(s.a, 2), reals(s.b, 3), result(s.y)};
    expect_agreement("where", choices, {}, 0, "float condition");
    expect_agreement("where", {int32s(s.condition, condition.values), choices[1], choices[2], choices[3]}, {}, 0, "int32 condition");
    expect_agreement("where", {bytes(s.condition, condition.values), choices[1], choices[2], choices[3]}, {}, 0, "uint8 condition");
  }
}

TEST(where, chooses_cells_as_they_are) {
  const Operand condition = values({4}, {1, 0, -0.0, NAN});
  const OpRun run("where", {condition, values({4}, {NAN, NAN, INFINITY, 4}), values({}, {-0.0}), result({4})}, {}, Dtype::float32);
  EXPECT_TRUE(std::isnan(run[3].at(0)));
  EXPECT_TRUE(std::signbit(run[3].at(1)) && run[3].at(1) == 0);
  EXPECT_TRUE(std::signbit(run[3].at(2)));
  EXPECT_EQ(run[3].at(3), 4);  // NaN is not 0
  const OpRun whole("where", {bytes({2}, {0, 9}), int32s({2}, {1, 2}), int32s({2}, {3, 4}), int32_result({2})}, {}, Dtype::float32);
  EXPECT_EQ(whole[3].all(), (std::vector<double>{3, 2}));
  const OpRun byte("where", {bytes({2}, {0, 9}), bytes({2}, {1, 2}), bytes({2}, {3, 4}), byte_result({2})}, {}, Dtype::float32);
  EXPECT_EQ(byte[3].all(), (std::vector<double>{3, 2}));
}

TEST(where, refuses_what_does_not_fit) {
  const Operand a = reals({4, 3}, 1), condition = bytes({3}, {0, 1, 0});
  expect_refused("where", {condition, a, int32s({3}, {1, 2, 3}), result({4, 3})}, {}, "second choice is int32");
  expect_refused("where", {condition, a, a, int32_result({4, 3})}, {}, "output is int32");
  expect_refused("where", {condition, a, reals({4}, 1), result({4, 3})}, {}, "broadcast");
  expect_refused("where", {bytes({2}, {0, 1}), a, a, result({4, 3})}, {}, "broadcast");
  expect_refused("where", {condition, a, a, result({1, 4, 3})}, {}, "broadcast");
  expect_refused("where", {condition, a, a, result({3})}, {}, "broadcast");
  expect_refused("where", {absent(), a, a, result({4, 3})}, {}, "missing");
}

}  // namespace receptive::test::where_test
