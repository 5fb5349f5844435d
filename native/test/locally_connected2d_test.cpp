#include "op_case.h"
#include "products.h"

namespace receptive::test::locally_connected2d_test {

namespace {

struct Case {
  int64_t N, H, W, C, K, kh, kw, sh = 1, sw = 1, top = 0, right = 0, bottom = 0, left = 0, dh = 1, dw = 1;

  int64_t OH() const { return (H + top + bottom - dh * (kh - 1) - 1) / sh + 1; }
  int64_t OW() const { return (W + left + right - dw * (kw - 1) - 1) / sw + 1; }
  bool fits() const { return H + top + bottom > dh * (kh - 1) && W + left + right > dw * (kw - 1); }
  Dims x() const { return {N, H, W, C}; }
  Dims w() const { return {OH(), OW(), kh, kw, C, K}; }
  Dims b() const { return {OH(), OW(), K}; }
  Dims y() const { return {N, OH(), OW(), K}; }
  std::vector<double> attrs() const {
    std::vector<double> list;
    for (const int64_t v : {sh, sw, top, right, bottom, left, dh, dw}) list.push_back(static_cast<double>(v));
    return list;
  }
  std::string name() const {
    std::string text = "x " + std::to_string(N) + "," + std::to_string(H) + "," + std::to_string(W) + "," + std::to_string(C) + " K " +
                       std::to_string(K) + " kernel " + std::to_string(kh) + "," + std::to_string(kw) + " attributes";
    for (const double v : attrs()) text += " " + std::to_string(static_cast<int>(v));
    return text;
  }
};

constexpr size_t kNamedCases = 17;  // those listed one by one, which every build runs

std::vector<Case> cases() {
  std::vector<Case> all = {
      {9, 12, 12, 6, 16, 5, 5},                             // LeNet's second layer, unshared
      {2, 6, 5, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1},            // whole vectors: weights read in place
      {3, 4, 4, 200, 130, 3, 3, 1, 1, 1, 1, 1, 1},          // more than one block of steps, and panel
      {1, 3, 3, 1100, 33, 2, 2},                            // a run longer than a block
      {2, 2, 3, 17, 1100, 2, 2},                            // and in the gradient of the input
      {1, 1, 1, 1, 1, 1, 1},                                //
      {0, 5, 5, 3, 4, 3, 3},                                // an empty batch
      {4, 5, 5, 3, 4, 5, 5},                                // output 1x1
      {1, 3, 4, 2, 3, 5, 5, 1, 1, 2, 2, 2, 2},              // kernel larger than the image
      {1, 2, 2, 3, 5, 3, 3, 1, 1, 9, 8, 7, 6},              // places that see padding only
      {2, 6, 6, 2, 3, 2, 2, 5, 7},                          // inputs nothing reads
      {2, 11, 13, 3, 5, 3, 2, 2, 3, 0, 1, 2, 0},            // everything different along the two axes
      {1, 13, 12, 4, 6, 3, 3, 2, 2, 4, 3, 2, 5, 4, 6},      // dilation and stride with a common divisor
      {1, 15, 15, 3, 4, 3, 3, 3, 3, 0, 0, 0, 0, 2, 2},      // and without
      {1, 1, 1, 2, 3, 3, 3, 1, 1, 50, 50, 50, 50, 50, 50},  // taps far apart
      {20, 3, 3, 15, 17, 2, 2},                             // many images
      {1, 8, 9, 16, 16, 3, 3, 2, 2, 0, -1, -1, 1},          // cells no window reaches
  };
  for (const int64_t C : {1, 3, 15, 16, 17, 64})
    for (const int64_t K : {1, 3, 15, 16, 17, 64}) all.push_back({1 + K % 3, 5, 4, C, K, 3, 2, 1, 1, 1, 0, 0, 1});
  std::mt19937 random(1);
  const auto pick = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1)); };
  while (all.size() < 160) {
    const Case c = {pick(1, 12), pick(1, 9), pick(1, 9), pick(1, 20), pick(1, 40), pick(1, 4), pick(1, 4), pick(1, 3),
                    pick(1, 3),  pick(0, 3), pick(0, 3), pick(0, 3),  pick(0, 3),  pick(1, 3), pick(1, 3)};
    if (c.fits()) all.push_back(c);
  }
  return all;
}

// Integers must come out the same; of positive numbers, each sum of `terms` products is right to the rounding of as many operations.
double bound_of(bool exact, int64_t terms) { return exact ? 0 : static_cast<double>(terms + 2) * 0x1p-24; }

Operand operand(const Dims& dims, uint32_t seed, bool exact) { return exact ? integers(dims, seed) : reals(dims, seed, 0, 1); }

template <class Body>
void over_cases(const Body& body) {
  const std::vector<Case> all = cases();
  int ran = 0;
  for (size_t i = 0; i < all.size(); i += i < kNamedCases ? 1 : kCaseStride) {
    ASSERT_TRUE(all[i].fits()) << all[i].name();
    for (const bool exact : {true, false}) body(all[i], exact);
    ++ran;
  }
  EXPECT_GT(ran, 40);
}

}  // namespace

TEST(locally_connected2d, agrees_with_the_reference) {
  over_cases([](const Case& c, bool exact) {
    const Operand x = operand(c.x(), 1, exact), w = operand(c.w(), 2, exact), b = operand(c.b(), 3, exact);
    const double bound = bound_of(exact, c.kh * c.kw * c.C + 1);
    expect_agreement("locally_connected2d", {x, w, b, result(c.y())}, c.attrs(), bound, c.name());
    expect_agreement("locally_connected2d", {x, w, absent(), result(c.y())}, c.attrs(), bound, c.name() + " without bias");
  });
}

TEST(locally_connected2d, input_gradient_agrees_with_the_reference) {
  over_cases([](const Case& c, bool exact) {
    const double bound = bound_of(exact, c.kh * c.kw * c.K);
    expect_agreement("locally_connected2d_backward_input", {operand(c.y(), 1, exact), operand(c.w(), 2, exact), result(c.x())}, c.attrs(),
                     bound, c.name());
  });
}

TEST(locally_connected2d, weight_gradient_agrees_with_the_reference) {
  over_cases([](const Case& c, bool exact) {
    const double bound = bound_of(exact, c.N);
    expect_agreement("locally_connected2d_backward_weight", {operand(c.x(), 1, exact), operand(c.y(), 2, exact), result(c.w())}, c.attrs(),
                     bound, c.name());
  });
}

TEST(locally_connected2d, refuses_what_does_not_fit) {
  const Case c = {2, 7, 9, 6, 4, 3, 3, 2, 2, 1, 0, 1, 0};
  const auto refused = [&](const Dims& x, const Dims& w, const Dims& b, const Dims& y, const std::vector<double>& attrs,
                           const std::string& reason) {
    expect_refused("locally_connected2d", {reals(x, 1), reals(w, 2), reals(b, 3), result(y)}, attrs, reason);
    if (b != c.b()) return;  // its own fault: the gradients take none
    expect_refused("locally_connected2d_backward_input", {reals(y, 1), reals(w, 2), result(x)}, attrs, reason);
    expect_refused("locally_connected2d_backward_weight", {reals(x, 1), reals(y, 2), result(w)}, attrs, reason);
  };
  const auto with = [](Dims dims, size_t axis, int64_t n) {
    dims[axis] = n;
    return dims;
  };
  for (size_t axis = 0; axis < 6; ++axis) {
    refused(c.x(), with(c.w(), axis, c.w()[axis] + 1), c.b(), c.y(), c.attrs(), axis == 2 || axis == 3 ? "output has shape" : "weight");
  }
  refused(c.x(), with(c.w(), 2, 0), c.b(), c.y(), c.attrs(), "at least 1x1");
  refused(c.x(), {3, 3, 6, 4}, c.b(), c.y(), c.attrs(), "rank 6");
  refused({7, 9, 6}, c.w(), c.b(), c.y(), c.attrs(), "rank 4");
  refused(c.x(), c.w(), c.b(), with(c.y(), 0, 3), c.attrs(), "output has shape");
  refused(c.x(), c.w(), c.b(), with(c.y(), 1, 5), c.attrs(), "output has shape");
  refused(c.x(), c.w(), c.b(), with(c.y(), 3, 5), c.attrs(), "weight");
  refused(with(c.x(), 3, 0), with(c.w(), 4, 0), c.b(), c.y(), c.attrs(), "at least one channel");
  for (size_t axis = 0; axis < 3; ++axis) refused(c.x(), c.w(), with(c.b(), axis, 9), c.y(), c.attrs(), "bias");
  refused(c.x(), c.w(), {4}, c.y(), c.attrs(), "bias");
  for (const size_t i : {0u, 1u, 2u, 5u, 6u, 7u}) {
    std::vector<double> attrs = c.attrs();
    attrs[i] = i == 2 || i == 5 ? -1 : 0;
    refused(c.x(), c.w(), c.b(), c.y(), attrs, "attribute");
  }
  std::vector<double> attrs = c.attrs();
  attrs[6] = 5;
  refused(c.x(), c.w(), c.b(), c.y(), attrs, "larger than the padded input");
  expect_refused("locally_connected2d", {int32s(c.x(), std::vector<double>(756)), reals(c.w(), 1), absent(), result(c.y())}, c.attrs(),
                 "input");
  expect_refused("locally_connected2d", {reals(c.x(), 1), reals(c.w(), 1), absent(), int32_result(c.y())}, c.attrs(), "output is int32");
  expect_refused("locally_connected2d", {reals(c.x(), 1), int32_result(c.w()), absent(), result(c.y())}, c.attrs(), "weight is int32");
}

}  // namespace receptive::test::locally_connected2d_test
