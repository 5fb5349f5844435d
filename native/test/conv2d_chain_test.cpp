#include "../ops/conv2d_chain.h"

#include "op_case.h"

namespace receptive::test::conv2d_chain_test {

namespace {

struct Link {
  int64_t K, kh, kw, sh = 1, sw = 1, top = 0, right = 0, bottom = 0, left = 0, dh = 1, dw = 1, groups = 1;
  double low = -HUGE_VAL, high = HUGE_VAL;
  bool bias = true;
};

struct Chain {
  const char* name;
  Dims x;
  std::vector<Link> links;
  bool add = false;
};

const Link expand(int64_t K) {
  Link link{K, 1, 1};
  link.low = 0, link.high = 6;
  return link;
}
const Link depthwise(int64_t K, int64_t stride = 1) {
  Link link{K, 3, 3, stride, stride, 1, 1, 1, 1, 1, 1, K};
  link.low = 0, link.high = 6;
  return link;
}

std::vector<Chain> chains() {
  Link uneven{20, 3, 5, 2, 1, 2, 0, 0, 3, 1, 1, 20}, dilated{17, 3, 3, 1, 1, 4, 4, 4, 4, 4, 4, 17}, unbiased = expand(33);
  unbiased.bias = false;
  return {
      {"one band", {2, 5, 4, 3}, {expand(7), depthwise(7), Link{4, 1, 1}}},
      {"bands, chunks, a sum", {2, 60, 40, 24}, {expand(144), depthwise(144), Link{24, 1, 1}}, true},
      {"stride 2", {1, 57, 56, 16}, {expand(96), depthwise(96, 2), Link{24, 1, 1}}},
      {"depthwise first", {1, 112, 60, 33}, {depthwise(33), Link{16, 1, 1}}},
      {"depthwise last", {3, 33, 50, 12}, {expand(130), depthwise(130, 2)}},
      {"everything different along the two axes", {1, 40, 30, 20}, {expand(20), uneven, unbiased}},
      {"rows far apart", {1, 30, 9, 8}, {expand(17), dilated, Link{5, 1, 1}}},
      {"convolutions of any kind",
       {2, 24, 20, 3},
       {Link{16, 3, 3, 2, 2, 1, 1, 1, 1}, Link{19, 5, 5, 1, 1, 2, 2, 2, 2}, Link{8, 3, 3, 1, 1, 1, 1, 1, 1}}},
      {"an empty batch", {0, 8, 8, 3}, {expand(7), depthwise(7)}},
  };
}

int64_t extent(int64_t size, int64_t k, int64_t stride, int64_t before, int64_t after, int64_t dilation) {
  return (size + before + after - dilation * (k - 1) - 1) / stride + 1;
}

std::vector<double> numbers_of(const Link& l) {
  const auto d = [](int64_t v) { return static_cast<double>(v); };
  return {d(l.sh), d(l.sw), d(l.top), d(l.right), d(l.bottom), d(l.left), d(l.dh), d(l.dw), d(l.groups), 0, l.low, l.high};
}

// A chain as a call of the op; and the convolutions one after the other, in float64.
struct Problem {
  std::vector<Operand> operands;
  std::vector<double> attrs, expected;

  explicit Problem(const Chain& chain) {
    Operand x = reals(chain.x, 1), add = absent();
    operands.push_back(x);
    uint32_t seed = 2;
    for (const Link& l : chain.links) {
      const Operand w = reals({l.kh, l.kw, x.dims[3] / l.groups, l.K}, seed++), b = l.bias ? reals({l.K}, seed++) : absent();
      operands.insert(operands.end(), {w, b});
      const std::vector<double> numbers = numbers_of(l);
      attrs.insert(attrs.end(), numbers.begin(), numbers.end());
      const Dims y = {x.dims[0], extent(x.dims[1], l.kh, l.sh, l.top, l.bottom, l.dh), extent(x.dims[2], l.kw, l.sw, l.left, l.right, l.dw),
                      l.K};
      if (chain.add && &l == &chain.links.back()) add = reals(y, 9);
      x = values(y, OpRun("conv2d", {x, w, b, add, result(y)}, numbers, Dtype::float64)[4].all());
    }
    operands.resize(1 + 2 * kMostChained);
    operands.insert(operands.end(), {add, result(x.dims)});
    expected = x.values;
  }
};

}  // namespace

TEST(conv2d_chain, is_its_convolutions_one_after_the_other) {
  for (const Chain& chain : chains()) {
    const Problem p(chain);
    const OpRun run("conv2d_chain", p.operands, p.attrs, Dtype::float64);
    EXPECT_EQ(run[8].all(), p.expected) << chain.name;
    expect_agreement("conv2d_chain", p.operands, p.attrs, 1e-5, chain.name);
    expect_kept("conv2d_chain", p.operands, p.attrs, 1e-5, chain.name);
  }
}

TEST(conv2d_chain, record_refuses_bad_arguments) {
  const Problem good({"", {1, 6, 6, 3}, {expand(7), depthwise(7), Link{4, 1, 1}}});
  const auto refused = [](Problem p, const char* why) {
    EXPECT_THROW(OpRun("conv2d_chain", p.operands, p.attrs, Dtype::float32), OpError) << why;
  };
  const auto with = [&](size_t attr, double value) {
    Problem p = good;
    p.attrs[attr] = value;
    return p;
  };
  refused(with(12 + 2, 3), "an output row of the second that sees padding only");
  refused(with(12 + 0, 9), "an output of another height");
  refused(with(8, 2), "groups that do not divide");
  refused(with(24 + 6, 0), "no dilation");
  Problem p = good;
  p.attrs.pop_back();
  refused(p, "an attribute too few");
  p = good;
  p.operands[3] = absent();
  refused(p, "no second weight");
  p = good;
  p.operands[5] = absent();
  refused(p, "a bias and attributes of a third, without weight");
  p = good;
  p.operands[3] = reals({3, 3, 1, 8}, 1);
  refused(p, "a second that expects other channels");
  p = good;
  p.operands[7] = reals({1, 6, 6, 3}, 1);
  refused(p, "a sum of another shape");
  p = good;
  p.operands[0] = reals({6, 6, 3}, 1);
  refused(p, "an input of another rank");
}

}  // namespace receptive::test::conv2d_chain_test
