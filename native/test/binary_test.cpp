#include "op_case.h"

namespace receptive::test::binary_test {

namespace {

const char* const names[] = {"add", "sub", "mul", "div", "max", "min", "pow", "equal", "greater", "greater_equal"};
constexpr int kKinds = static_cast<int>(Binary::count);
static_assert(sizeof names / sizeof *names == kKinds);

struct Shapes {
  Dims a, b, y;
};
const Shapes shapes[] = {
    {{}, {}, {}},
    {{0}, {0}, {0}},
    {{1}, {17}, {17}},
    {{33}, {}, {33}},
    {{5, 7}, {5, 7}, {5, 7}},
    {{2, 3, 5, 6}, {6}, {2, 3, 5, 6}},  // a row of few channels
    {{6}, {700, 6}, {700, 6}},          //
    {{3, 200}, {200}, {3, 200}},        // a row of many
    {{9, 13}, {9, 1}, {9, 13}},         // a column
    {{4, 1, 5}, {3, 1}, {4, 3, 5}},     // both repeated
    {{2, 1, 3, 1, 5}, {4, 1, 2, 1}, {2, 4, 3, 2, 5}},
    {{2, 40000}, {40000}, {2, 40000}},  // a row longer than a chunk
    {{3, 0, 2}, {1, 2}, {3, 0, 2}},
    {{300, 3, 41}, {300, 1, 41}, {300, 3, 41}},
};

std::string text(const Dims& dims) {
  std::string s = "[";
  for (const int64_t d : dims) s += std::to_string(d) + " ";
  return s + "]";
}

}  // namespace

TEST(binary, agrees_with_the_reference_for_every_broadcast) {
  for (int kind = 0; kind < kKinds; ++kind) {
    for (const Shapes& s : shapes) {
      const bool power = static_cast<Binary>(kind) == Binary::pow, compares = kind >= static_cast<int>(Binary::equal);
      const Operand a = power ? reals(s.a, 1, 0.1f, 3) : compares ? integers(s.a, 1) : reals(s.a, 1, 1, 5);
      const Operand b = compares ? integers(s.b, 2) : reals(s.b, 2, 1, 5);
      expect_agreement("binary", {a, b, result(s.y)}, {double(kind)}, 6e-8, std::string(names[kind]) + text(s.a) + text(s.b));
    }
  }
}

TEST(binary, works_in_place_on_either_operand) {
  each_isa([&](const KernelTable&) {
    const Dims dims{50, 700};
    const Cells a(Dtype::float32, dims, reals(dims, 1).values), b(Dtype::float32, dims, reals(dims, 2).values), y(Dtype::float32, dims);
    const Cells left(Dtype::float32, dims, a.all()), right(Dtype::float32, dims, b.all());
    const std::vector<double> sub{static_cast<double>(Binary::sub)};
    run_op("binary", {&a.tensor(), &b.tensor(), &y.tensor()}, sub);
    run_op("binary", {&left.tensor(), &b.tensor(), &left.tensor()}, sub);
    run_op("binary", {&a.tensor(), &right.tensor(), &right.tensor()}, sub);
    EXPECT_TRUE(left.same_bytes(y));
    EXPECT_TRUE(right.same_bytes(y));
  });
}

TEST(binary, special_values) {
  const std::vector<double> special{0, -0.0, 1, -1, INFINITY, -INFINITY, NAN};
  std::vector<double> a, b;
  for (const double p : special) {
    for (const double q : special) a.push_back(p), b.push_back(q);
  }
  const Dims dims{static_cast<int64_t>(a.size())};
  for (int kind = 0; kind < kKinds; ++kind) {
    expect_agreement("binary", {values(dims, a), values(dims, b), result(dims)}, {double(kind)}, 0, names[kind]);
  }
  for (const Binary kind : {Binary::max, Binary::min}) {
    const OpRun run("binary", {values({2}, {NAN, 1}), values({2}, {1, NAN}), result({2})}, {double(kind)}, Dtype::float32);
    EXPECT_TRUE(std::isnan(run[2].at(0)) && std::isnan(run[2].at(1)));
  }
}

TEST(binary, int32_wraps_and_never_traps) {
  const double low = -2147483648.0, high = 2147483647;
  const auto at = [](Binary kind, double a, double b) {
    return OpRun("binary", {int32s({1}, {a}), int32s({1}, {b}), int32_result({1})}, {double(kind)}, Dtype::float32)[2].at(0);
  };
  EXPECT_EQ(at(Binary::add, high, 1), low);
  EXPECT_EQ(at(Binary::sub, low, 1), high);
  EXPECT_EQ(at(Binary::mul, 65536, 65536), 0);
  EXPECT_EQ(at(Binary::mul, low, -1), low);
  EXPECT_EQ(at(Binary::div, 7, 0), 0);
  EXPECT_EQ(at(Binary::div, low, -1), low);
  EXPECT_EQ(at(Binary::div, -7, 2), -3);
  EXPECT_EQ(at(Binary::max, low, high), high);
  EXPECT_EQ(at(Binary::min, low, high), low);
  EXPECT_EQ(at(Binary::pow, -3, 5), -243);
  EXPECT_EQ(at(Binary::pow, 2, 31), low);
  EXPECT_EQ(at(Binary::pow, 2, high), 0);
  EXPECT_EQ(at(Binary::pow, 0, 0), 1);
  EXPECT_EQ(at(Binary::pow, -1, -3), -1);
  EXPECT_EQ(at(Binary::pow, -1, -4), 1);
  EXPECT_EQ(at(Binary::pow, 1, low), 1);
  EXPECT_EQ(at(Binary::pow, 2, -1), 0);
  EXPECT_EQ(at(Binary::equal, 5, 5), 1);
  EXPECT_EQ(at(Binary::greater, 5, 5), 0);
  EXPECT_EQ(at(Binary::greater_equal, 5, 5), 1);
}

TEST(binary, refuses_what_does_not_fit) {
  const Operand a = reals({4, 3}, 1);
  const auto refused = [&](const Operand& b, const Operand& y, const std::string& reason) {
    expect_refused("binary", {a, b, y}, {0}, reason);
  };
  refused(reals({4}, 1), result({4, 3}), "broadcast");
  refused(reals({3}, 1), result({3}), "broadcast");
  refused(reals({3}, 1), result({3, 4}), "broadcast");
  refused(reals({3}, 1), result({1, 4, 3}), "broadcast");
  refused(reals({2, 1, 1}, 1), result({4, 3}), "broadcast");
  refused(int32s({3}, {1, 2, 3}), result({4, 3}), "second input is int32");
  refused(reals({3}, 1), int32_result({4, 3}), "output is int32");
  refused(absent(), result({4, 3}), "missing");
  expect_refused("binary", {a, a, result({4, 3})}, {10}, "attribute 0");
  expect_refused("binary", {bytes({1}, {1}), bytes({1}, {1}), byte_result({1})}, {0}, "uint8");
}

}  // namespace receptive::test::binary_test
