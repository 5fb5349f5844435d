// Convolution by minimal filtering, asked for or chosen, held against the double reference: shapes, every tail, all three passes; and the
// error its points are chosen for.
#include "op_case.h"
#include "products.h"

namespace receptive::test::conv2d_winograd_test {

namespace {

// Attributes of the forward pass, which can clip what it makes.
std::vector<double> unclipped(std::vector<double> attrs) {
  attrs.insert(attrs.end(), {-HUGE_VAL, HUGE_VAL});
  return attrs;
}

struct Filtered {
  int64_t N, H, W, C, K, kh, kw;
  int64_t top, right, bottom, left;
  int64_t dh = 1, dw = 1, sh = 1, sw = 1;

  Dims x() const { return {N, H, W, C}; }
  Dims w() const { return {kh, kw, C, K}; }
  Dims y() const { return {N, (H + top + bottom - dh * (kh - 1) - 1) / sh + 1, (W + left + right - dw * (kw - 1) - 1) / sw + 1, K}; }
  bool valid() const { return H + top + bottom > dh * (kh - 1) && W + left + right > dw * (kw - 1); }
  std::vector<double> attrs(int algorithm) const {
    const auto d = [](int64_t v) { return static_cast<double>(v); };
    return {d(sh), d(sw), d(top), d(right), d(bottom), d(left), d(dh), d(dw), 1, d(algorithm)};
  }
  std::vector<double> forward(int algorithm) const { return unclipped(attrs(algorithm)); }
  std::string name() const {
    const auto t = [](int64_t v) { return std::to_string(v); };
    return "x[" + t(N) + "," + t(H) + "," + t(W) + "," + t(C) + "] K " + t(K) + " kernel " + t(kh) + "x" + t(kw) + " pad " + t(top) + "," +
           t(right) + "," + t(bottom) + "," + t(left) + " dilation " + t(dh) + "," + t(dw) + " stride " + t(sh) + "," + t(sw);
  }
};

constexpr int kWinograd = 2;
constexpr size_t kNamedCases = 33;  // those listed one by one, which every build runs

// Largest error over largest result. Direct summation of n products stays below n * 2^-24 and in practice near sqrt(n) * 2^-24; the
// transforms add a factor that depends on the points, measured over the cases below and doubled.
constexpr double kBound = 160 * 0x1p-24;

std::vector<Filtered> cases() {
  std::vector<Filtered> all = {
      {1, 8, 8, 16, 16, 3, 3, 1, 1, 1, 1},
      {1, 1, 1, 1, 1, 3, 3, 1, 1, 1, 1},       // one output, of a tile that is mostly outside
      {0, 8, 8, 4, 4, 3, 3, 1, 1, 1, 1},       // an empty batch
      {1, 3, 3, 5, 7, 3, 3, 0, 0, 0, 0},       // output 1x1
      {2, 7, 9, 17, 15, 3, 3, 0, 3, 2, 1},     // unequal padding, and padding beyond the kernel
      {1, 5, 5, 3, 4, 3, 3, 6, 7, 8, 9},       // tiles that see nothing but padding
      {1, 62, 66, 12, 20, 3, 3, 1, 1, 1, 1},   // enough tiles for blocks that do all three steps
      {1, 16, 24, 130, 65, 3, 3, 1, 1, 1, 1},  // more than a panel
      {1, 56, 56, 590, 9, 3, 3, 1, 1, 1, 1},   // more than one block of steps that are cut on their own
      {2, 1, 70, 24, 40, 1, 3, 0, 0, 0, 0},    // along a row: text
      {2, 3, 33, 17, 100, 1, 4, 1, 2, 0, 1},
      {3, 1, 64, 20, 33, 1, 5, 0, 2, 0, 2},
      {1, 1, 5, 8, 8, 1, 5, 0, 0, 0, 0},
      {2, 9, 14, 17, 20, 3, 3, 1, -1, -3, 0},
      {1, 3, 30, 8, 9, 1, 4, 0, -2, -1, 2},         // cells at the end that no window reaches
      {2, 15, 17, 17, 20, 3, 3, 2, 2, 2, 2, 2, 2},  // taps apart
      {1, 14, 23, 6, 9, 3, 3, 3, 1, 0, 5, 3, 4},    // and not as far along each axis
      {1, 61, 62, 12, 20, 3, 3, 2, 2, 2, 2, 2, 2},  // in blocks that do all three steps
      {1, 5, 6, 4, 5, 3, 3, 9, 9, 9, 9, 9, 8},      // further than the image is large
      {2, 1, 70, 24, 40, 1, 3, 0, 8, 0, 8, 1, 8},
      {2, 3, 33, 9, 20, 1, 5, 1, 2, 0, 1, 4, 3},
      {1, 23, 9, 5, 33, 4, 4, 1, 2, 2, 1},
      {2, 9, 14, 20, 7, 5, 5, 2, 2, 2, 2},
      {1, 12, 17, 9, 12, 4, 4, 3, 1, 0, 5, 2, 3},
      {1, 40, 44, 12, 20, 5, 5, 2, 2, 2, 2},
      {1, 45, 47, 3, 64, 7, 7, 3, 3, 3, 3, 1, 1, 2, 2},   // by steps: 4x4 taps of 12 channels, the last of some beyond the kernel
      {2, 16, 16, 20, 24, 6, 6, 2, 2, 2, 2, 1, 1, 2, 2},  // 3x3
      {1, 21, 20, 6, 35, 5, 5, 2, 2, 2, 2, 1, 1, 2, 2},   // 3x3
      {1, 30, 31, 5, 16, 9, 10, 4, 0, 1, 7, 1, 1, 2, 2},  // 5x5
      {1, 25, 19, 4, 6, 7, 5, 0, 2, 3, 1, 1, 1, 3, 2},    // other steps along each axis
      {1, 26, 27, 3, 5, 5, 6, 9, 8, 7, 9, 1, 1, 2, 2},    // cells that see nothing but padding
      {1, 20, 23, 5, 8, 6, 5, 0, -3, -2, 0, 1, 1, 2, 2},  // and at the end some that no window reaches
      {2, 1, 70, 12, 20, 1, 9, 0, 4, 0, 4, 1, 1, 1, 2},   // along a row
  };
  for (const int64_t C : {1, 3, 15, 16, 17, 64})
    for (const int64_t K : {1, 3, 15, 16, 17, 64}) all.push_back({1, 4 + C % 5, 5 + K % 4, C, K, 3, 3, 1, K % 2, C % 2, 1});
  std::mt19937 random(1);
  const auto pick = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1)); };
  while (all.size() < 160) {
    const bool row = pick(0, 2) == 0, strided = pick(0, 2) == 0;
    const int64_t sh = strided && !row ? pick(1, 3) : 1, sw = strided ? pick(1, 3) : 1;
    const int64_t taps = pick(3, 5);  // for each step
    Filtered c = {
        pick(1, 3), pick(1, 14), pick(1, 14), pick(1, 40), pick(1, 70), row ? 1 : taps * sh - pick(0, sh - 1), taps * sw - pick(0, sw - 1),
        pick(0, 3), pick(0, 3),  pick(0, 3),  pick(0, 3)};
    if (strided) {
      c.sh = sh, c.sw = sw;
    } else if (pick(0, 2) == 0) {
      c.dh = pick(1, 3), c.dw = pick(1, 3);
    }
    if (c.valid()) all.push_back(c);
  }
  std::vector<Filtered> taken;
  for (size_t i = 0; i < all.size(); i += i < kNamedCases ? 1 : kCaseStride) taken.push_back(all[i]);
  return taken;
}

std::vector<double> normals(int64_t n, uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<double> values(static_cast<size_t>(n));
  for (double& v : values) v = normal(random);
  return values;
}

// Root of the mean square, and the largest difference over it.
double largest_over_rms(const Cells& out, const Cells& ref) {
  double squares = 0, worst = 0;
  for (int64_t i = 0; i < ref.tensor().size(); ++i) {
    squares += ref.at(i) * ref.at(i);
    worst = std::max(worst, std::fabs(out.at(i) - ref.at(i)));
  }
  return worst / std::sqrt(squares / static_cast<double>(ref.tensor().size()));
}

}  // namespace

TEST(conv2d_winograd, agrees_with_the_reference) {
  for (const Filtered& c : cases()) {
    expect_agreement("conv2d", {reals(c.x(), 1), reals(c.w(), 2), reals({c.K}, 3), absent(), result(c.y())}, c.forward(kWinograd), kBound,
                     c.name());
    expect_agreement("conv2d", {reals(c.x(), 1), reals(c.w(), 2), absent(), absent(), result(c.y())}, c.forward(kWinograd), kBound,
                     c.name());
  }
}

TEST(conv2d_winograd, input_gradient_agrees_with_the_reference) {
  for (const Filtered& c : cases()) {
    for (const Operand& bias : {reals({c.C}, 3), absent()}) {
      expect_agreement("conv2d_backward_input", {reals(c.y(), 1), reals(c.w(), 2), bias, result(c.x())}, c.attrs(kWinograd), kBound,
                       c.name());
    }
  }
}

TEST(conv2d_winograd, weight_gradient_agrees_with_the_reference) {
  for (const Filtered& c : cases()) {
    expect_agreement("conv2d_backward_weight", {reals(c.x(), 1), reals(c.y(), 2), result(c.w()), result({c.K})}, c.attrs(kWinograd), kBound,
                     c.name());
  }
}

// Over 256 channels: the largest error over the root mean square of the outputs, which is 5e-6 to 9e-6 here. The points 0, ±1, ±2
// give 1.8e-5 with 3x3 taps to 3.7e-5 with 4x4, direct summation 4e-6 to 1.1e-5.
TEST(conv2d_winograd, keeps_the_error_its_points_are_chosen_for) {
  const Filtered all[] = {
      {1, 20, 20, 256, 32, 3, 3, 1, 1, 1, 1},
      {1, 20, 20, 256, 32, 4, 4, 2, 1, 1, 2},
      {1, 20, 20, 256, 32, 5, 5, 2, 2, 2, 2},
      {1, 40, 40, 64, 32, 7, 7, 3, 3, 3, 3, 1, 1, 2, 2},
  };
  for (const Filtered& c : all) {
    const std::vector<Operand> operands = {values(c.x(), normals(size_of_dims(c.x()), 1)), values(c.w(), normals(size_of_dims(c.w()), 2)),
                                           absent(), absent(), result(c.y())};
    const OpRun reference("conv2d", operands, c.forward(0), Dtype::float64);
    each_isa([&](const KernelTable& table) {
      const OpRun run("conv2d", operands, c.forward(kWinograd), Dtype::float32), direct("conv2d", operands, c.forward(1), Dtype::float32);
      EXPECT_LT(largest_over_rms(run[4], reference[4]), 1.4e-5) << c.name();
      EXPECT_LT(largest_over_rms(direct[4], reference[4]), 1.4e-5) << c.name();
      if (c.kh == 3 || std::string(table.isa) != "sse2")
        EXPECT_GT(largest_over_rms(run[4], direct[4]), 0) << c.name() << ": was it the direct algorithm?";
    });
  }
}

TEST(conv2d_winograd, refuses_what_it_cannot_filter) {
  const auto refused = [](const Dims& x, const Dims& w, const Dims& y, std::vector<double> attrs) {
    expect_refused("conv2d", {reals(x, 1), reals(w, 2), absent(), absent(), result(y)}, unclipped(attrs), "Winograd");
    expect_refused("conv2d_backward_input", {reals(y, 1), reals(w, 2), absent(), result(x)}, attrs, "Winograd");
    expect_refused("conv2d_backward_weight", {reals(x, 1), reals(y, 2), result(w), absent()}, attrs, "Winograd");
  };
  refused({1, 8, 8, 4}, {6, 6, 4, 4}, {1, 3, 3, 4}, {1, 1, 0, 0, 0, 0, 1, 1, 1, kWinograd});
  refused({1, 8, 8, 4}, {3, 4, 4, 4}, {1, 6, 5, 4}, {1, 1, 0, 0, 0, 0, 1, 1, 1, kWinograd});
  refused({1, 8, 8, 4}, {1, 6, 4, 4}, {1, 8, 3, 4}, {1, 1, 0, 0, 0, 0, 1, 1, 1, kWinograd});
  refused({1, 8, 8, 4}, {1, 5, 4, 4}, {1, 4, 4, 4}, {2, 1, 0, 0, 0, 0, 1, 1, 1, kWinograd});
  refused({1, 9, 9, 4}, {3, 3, 4, 4}, {1, 4, 7, 4}, {2, 1, 0, 0, 0, 0, 1, 1, 1, kWinograd});
  refused({1, 9, 9, 4}, {3, 3, 4, 4}, {1, 3, 3, 4}, {2, 2, 0, 0, 0, 0, 2, 2, 1, kWinograd});
  refused({1, 8, 8, 4}, {4, 4, 4, 4}, {1, 3, 3, 4}, {2, 2, 0, 0, 0, 0, 1, 1, 1, kWinograd});
  refused({1, 8, 8, 4}, {3, 3, 2, 4}, {1, 6, 6, 4}, {1, 1, 0, 0, 0, 0, 1, 1, 2, kWinograd});
}

}  // namespace receptive::test::conv2d_winograd_test
