#include "op_case.h"

namespace receptive::test {

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

}  // namespace receptive::test
