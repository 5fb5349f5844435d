#include "../ops/conv2d.h"

#include <functional>

#include "../ops/op.h"
#include "op_case.h"
#include "products.h"

namespace receptive::test::conv2d_test {

namespace {

struct Case {
  int64_t N, H, W, C, K, kh, kw, sh = 1, sw = 1, top = 0, right = 0, bottom = 0, left = 0, dh = 1, dw = 1, groups = 1;
};

bool valid(const Case& c) {
  return c.C % c.groups == 0 && c.K % c.groups == 0 && c.H + c.top + c.bottom > c.dh * (c.kh - 1) &&
         c.W + c.left + c.right > c.dw * (c.kw - 1);
}

Conv2dShape shape_of(const Case& c) {
  const int64_t OH = (c.H + c.top + c.bottom - c.dh * (c.kh - 1) - 1) / c.sh + 1;
  const int64_t OW = (c.W + c.left + c.right - c.dw * (c.kw - 1) - 1) / c.sw + 1;
  return {c.N, c.H, c.W, c.C, c.K, c.kh, c.kw, OH, OW, c.sh, c.sw, c.top, c.left, c.dh, c.dw, c.groups};
}

std::string name_of(const Case& c) {
  char text[200];
  const auto i = [](int64_t v) { return static_cast<int>(v); };
  std::snprintf(text, sizeof text, "x[%d,%d,%d,%d] K %d kernel %dx%d stride %d,%d pad %d,%d,%d,%d dilation %d,%d groups %d", i(c.N), i(c.H),
                i(c.W), i(c.C), i(c.K), i(c.kh), i(c.kw), i(c.sh), i(c.sw), i(c.top), i(c.right), i(c.bottom), i(c.left), i(c.dh), i(c.dw),
                i(c.groups));
  return text;
}

// named: those listed one by one, which every build runs.
std::vector<Case> cases(size_t* named) {
  std::vector<Case> all = {
      {16, 28, 28, 1, 6, 5, 5, 1, 1, 2, 2, 2, 2},     // LeNet-5, first layer
      {8, 14, 14, 6, 16, 5, 5},                       // and second
      {7, 14, 14, 6, 16, 5, 5},                       // images that are no multiple of those whose gradients are summed together
      {6, 11, 9, 5, 17, 3, 4, 1, 1, 1, 2, 0, 1},      // and with padding
      {1, 301, 70, 3, 7, 5, 3, 1, 1, 1, 2, 3, 0, 2},  // planes in several bands, whose last one is of few rows; and with a stride
      {2, 251, 67, 5, 3, 3, 5, 2, 1, 1, 1, 1, 1, 1, 2},
      {1, 150, 40, 4, 6, 3, 3, 1, 1, 40, 40, 40, 40, 40, 40},  // and with more rows between taps than a band has
      {1, 16, 20, 128, 128, 3, 3, 1, 1, 1, 1, 1, 1},           // more than one chunk, panel and reduction block
      {1, 40, 40, 3, 64, 7, 7, 2, 2, 3, 3, 3, 3},              // a ResNet's stem
      {2, 7, 7, 160, 96, 3, 3, 2, 2, 1, 1, 1, 1},
      {1, 11, 10, 40, 35, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2},  // taps looked up one by one, in one group and in three
      {2, 9, 9, 99, 66, 3, 4, 2, 1, 3, 1, 2, 2, 2, 3, 3},
      {1, 66, 66, 32, 40, 3, 3, 2, 2, 1, 1, 1, 1},  // in several bands
      {2, 2, 2, 36, 20, 3, 3, 2, 2, 9, 8, 7, 6},    // most of them outside
      {1, 5, 6, 33, 17, 2, 3, 1, 1, 0, 7, 6, 4, 4, 3},
      {1, 4, 3, 3, 16, 2, 2, 1, 1, 0, 0, 0, 0, 1, 2},  // the last tap of a row beside the first of the next, others apart
      {2, 5, 5, 40, 20, 2, 3, 1, 1, 0, 0, 0, 0, 1, 2},
      {1, 20, 30, 200, 64, 1, 1},                            // the tiles of a panel of weights' gradients in several chunks
      {2, 20, 25, 66, 256, 1, 1},                            // a band's gradients packed for few inputs, in several bands
      {1, 30, 22, 200, 70, 1, 1},                            // and for many, the last vector not whole
      {2, 21, 31, 24, 50, 3, 3, 2, 2, 1, 1, 1, 1},           // with padding and a stride, copied
      {1, 21, 31, 40, 50, 3, 3, 2, 2, 1, 1, 1, 1},           // and looked up
      {1, 2, 520, 70, 40, 1, 3, 1, 2, 0, 0, 1, 1},           // rows of more pixels than are packed at a time
      {1, 1, 530, 200, 40, 1, 1},                            // and of too many
      {1, 9, 31, 400, 80, 1, 2, 2, 1, 0, 0, 0, 0, 1, 1, 2},  // in groups
      {3, 9, 9, 48, 80, 1, 1},
      {2, 9, 9, 48, 80, 1, 1, 2, 2},
      {1, 13, 12, 100, 170, 1, 1},  // blocks of pixels and panels of unlike widths, and where a panel's blocks go together
      {1, 7, 7, 400, 330, 1, 1},
      {1, 1, 1, 1, 1, 1, 1},
      {0, 5, 5, 3, 4, 3, 3},                                            // an empty batch
      {1, 5, 5, 3, 4, 5, 5},                                            // output 1x1
      {1, 3, 4, 2, 3, 5, 5, 1, 1, 2, 2, 2, 2},                          // kernel larger than the image
      {1, 2, 2, 3, 5, 3, 3, 1, 1, 9, 8, 7, 6},                          // outputs that see padding only
      {1, 6, 6, 2, 3, 2, 2, 5, 7},                                      // stride beyond the kernel: inputs nothing reads
      {2, 11, 13, 3, 5, 3, 2, 2, 3, 0, 1, 2, 0},                        // everything different along the two axes
      {1, 13, 12, 4, 6, 3, 3, 2, 2, 4, 3, 2, 5, 4, 6},                  // dilation and stride with a common divisor
      {1, 15, 15, 3, 4, 3, 3, 3, 3, 0, 0, 0, 0, 2, 2},                  // and without
      {1, 1, 1, 2, 3, 3, 3, 1, 1, 5000, 5000, 5000, 5000, 5000, 5000},  // taps far apart: the copy keeps them separate
      {1, 3, 2, 1, 2, 2, 2, 1, 1, 30000, 0, 0, 0, 30000, 1},
      {2, 8, 8, 12, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4},   // groups
      {2, 9, 15, 40, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 5},  // groups of 8 channels, 4, 2 and 16: several in a vector, and not
      {1, 9, 15, 40, 40, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 10},
      {2, 14, 7, 36, 36, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 9},
      {1, 7, 9, 22, 22, 7, 7, 1, 1, 3, 3, 3, 3, 1, 1, 11},
      {1, 6, 6, 22, 22, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 11},
      {1, 5, 6, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2},
      {1, 9, 7, 34, 51, 3, 3, 2, 1, 1, 0, 1, 2, 1, 2, 17},
      {2, 10, 10, 96, 96, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 96},  // depthwise
      {1, 12, 11, 35, 35, 5, 5, 2, 2, 2, 2, 2, 2, 1, 1, 35},
      {1, 9, 9, 17, 17, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 17},
      {2, 6, 6, 5, 15, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 5},  // with a channel multiplier
      {1, 14, 14, 64, 64, 7, 7, 1, 1, 3, 3, 3, 3, 1, 1, 64},
      {2, 13, 14, 32, 32, 7, 7, 2, 2, 3, 3, 3, 3, 1, 1, 32},
      {1, 5, 70, 150, 150, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 150},  // pieces of rows, and shares of channels
      {1, 5, 19, 260, 260, 5, 5, 2, 2, 2, 2, 2, 2, 1, 1, 260},
      {1, 3, 40, 136, 136, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 34},
      {1, 5, 40, 200, 200, 4, 4, 1, 1, 1, 1, 1, 1, 1, 1, 200},
      {2, 40, 31, 20, 20, 7, 7, 2, 2, 3, 3, 3, 3, 1, 1, 20},  // blocks of several rows and tiles, the last channels computed twice
      {1, 50, 30, 35, 35, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 35},
      {1, 33, 41, 40, 40, 3, 3, 2, 2, 0, 1, 1, 2, 1, 1, 10},
      {2, 9, 30, 12, 12, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 12},  // fewer channels than a vector may have
      {1, 9, 16, 5, 5, 5, 5, 2, 2, 2, 2, 2, 2, 1, 1, 5},
      {1, 5, 3, 24, 24, 3, 3, 1, 1, 2, 50, 2, 2, 1, 1, 24},  // tiles that see padding only
      {1, 5, 30, 24, 24, 3, 3, 1, 2, 3, 5, 4, 3, 1, 1, 24},  // padding as wide as the kernel
      {1, 9, 10, 20, 20, 2, 2, 3, 4, 0, 0, 0, 0, 1, 1, 20},  // inputs nothing reads, in each loop nest
      {2, 9, 10, 32, 33, 1, 2, 3, 4, 1, 1, 1, 1},
      {2, 8, 7, 20, 18, 3, 3, 2, 2, 1, 0, 0, 1},  // cells at the end that no window reaches, in each loop nest
      {2, 8, 9, 3, 17, 3, 3, 2, 3, 0, -1, -1, 1},
      {1, 9, 10, 20, 20, 3, 3, 2, 2, 0, -1, -2, 1, 1, 1, 20},
      {1, 9, 9, 20, 17, 2, 2, 1, 2, 0, -2, -2, 0, 3, 3},
  };
  *named = all.size();
  for (const int64_t C : {1, 3, 15, 16, 17, 64})
    for (const int64_t K : {1, 3, 15, 16, 17, 64})
      for (const int64_t k : {1, 2, 3, 5, 7}) all.push_back({1, 9, 8, C, K, k, k, 1 + C % 3, 1 + k % 3, k / 2, (k - 1) / 2, k / 3, k / 2});
  std::mt19937 random(1);
  const auto pick = [&](int64_t low, int64_t high) { return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1)); };
  while (all.size() < 360) {
    const int64_t groups = pick(0, 2) ? 1 : pick(2, 5), C = groups * pick(1, 20), K = pick(0, 1) ? C : groups * pick(1, 40);
    const Case c = {pick(1, 3), pick(1, 14), pick(1, 14), C,          K,          pick(1, 5), pick(1, 5), pick(1, 3),
                    pick(1, 3), pick(0, 3),  pick(0, 3),  pick(0, 3), pick(0, 3), pick(1, 3), pick(1, 3), groups};
    if (valid(c)) all.push_back(c);
  }
  return all;
}

// The operands of one case, filled with integers or reals, and the reference's answers.
struct Problem {
  Conv2dShape s;
  int64_t terms_y, terms_dx, terms_dw;
  Buffer<float> x, w, b, g, bx;  // bx: a bias of the input's channels

  Problem(const Case& c, bool integers, Conv2dShape::Algorithm algorithm = Conv2dShape::direct)
      : s(shape_of(c)),
        terms_y(s.kh * s.kw * (s.C / s.groups) + 1),
        terms_dx(s.kh * s.kw * (s.K / s.groups) + 1),
        terms_dw(s.N * s.OH * s.OW),
        x(s.N * s.H * s.W * s.C),
        w(s.kh * s.kw * (s.C / s.groups) * s.K),
        b(s.K),
        g(s.N * s.OH * s.OW * s.K),
        bx(s.C) {
    s.algorithm = algorithm;
    uint32_t seed = 3;
    for (Buffer<float>* operand : {&x, &w, &b, &g, &bx}) {
      integers ? fill_integers(*operand, seed++) : fill_reals(*operand, seed++);
    }
  }
};

void check(const Buffer<float>& out, const Buffer<double>& ref, const Buffer<double>& magnitude, int64_t terms, bool integers,
           const std::string& what) {
  if (integers) {
    expect_close(out, ref, 0, what);
  } else {
    expect_within_summation_error(out, ref, magnitude, terms, what);
  }
}

// What the reference makes of the operands and, of reals, of their absolute values.
template <class Reference>
std::pair<Buffer<double>, Buffer<double>> expected(int64_t size, const Buffer<float>& p, const Buffer<float>& q, bool integers,
                                                   const Reference& reference) {
  if (!kAgainstReference) return {Buffer<double>(size), Buffer<double>(size)};
  const Buffer<double> P = widen(p), Q = widen(q);
  std::pair<Buffer<double>, Buffer<double>> out{Buffer<double>(size), Buffer<double>(size)};
  reference(P.data(), Q.data(), out.first.data(), false);
  if (!integers) reference(absolute(P).data(), absolute(Q).data(), out.second.data(), true);
  return out;
}

void check_forward(const Problem& p, bool integers, const std::string& what) {
  KernelContext context;
  const Buffer<double> b = widen(p.b), abs_b = absolute(b);
  for (const bool bias : {true, false}) {
    const auto ref = expected(p.g.size(), p.x, p.w, integers, [&](const double* x, const double* w, double* y, bool abs) {
      reference::conv2d<double>({p.s, x, w, bias ? (abs ? abs_b : b).data() : nullptr, nullptr, y, {}}, context);
    });
    each_isa([&](const KernelTable& table) {
      Buffer<float> y(p.g.size());
      run_on_threads(table.conv2d, Conv2dArgs<float>{p.s, p.x.data(), p.w.data(), bias ? p.b.data() : nullptr, nullptr, y.data(), {}}, y,
                     what);
      check(y, ref.first, ref.second, p.terms_y, integers, what);
    });
  }
}

void check_backward_input(const Problem& p, bool integers, const std::string& what) {
  KernelContext context;
  const Buffer<double> b = widen(p.bx), abs_b = absolute(b);
  for (const bool bias : {true, false}) {
    const auto ref = expected(p.x.size(), p.g, p.w, integers, [&](const double* g, const double* w, double* dx, bool abs) {
      reference::conv2d_backward_input<double>({p.s, g, w, bias ? (abs ? abs_b : b).data() : nullptr, dx}, context);
    });
    each_isa([&](const KernelTable& table) {
      Buffer<float> dx(p.x.size());
      const float* const start = bias ? p.bx.data() : nullptr;
      run_on_threads(table.conv2d_backward_input, Conv2dBackwardInputArgs<float>{p.s, p.g.data(), p.w.data(), start, dx.data()}, dx, what);
      check(dx, ref.first, ref.second, p.terms_dx, integers, what);
    });
  }
}

void check_backward_weight(const Problem& p, bool integers, const std::string& what) {
  KernelContext context;
  Buffer<double> db_ref(p.s.K), db_magnitude(p.s.K);
  const auto ref = expected(p.w.size(), p.x, p.g, integers, [&](const double* x, const double* g, double* dw, bool abs) {
    reference::conv2d_backward_weight<double>({p.s, x, g, dw, (abs ? db_magnitude : db_ref).data()}, context);
  });
  each_isa([&](const KernelTable& table) {
    Buffer<float> dw(p.w.size()), db(p.s.K);
    Conv2dBackwardWeightArgs<float> args{p.s, p.x.data(), p.g.data(), dw.data(), db.data()};
    run_on_threads(table.conv2d_backward_weight, args, dw, what);
    check(dw, ref.first, ref.second, p.terms_dw, integers, what);
    check(db, db_ref, db_magnitude, p.terms_dw, integers, what + " bias");
    run_on_threads(table.conv2d_backward_weight, args, db, what + " bias");
    args.db = nullptr;
    Buffer<float> alone(p.w.size());
    args.dw = alone.data();
    run_on_threads(table.conv2d_backward_weight, args, alone, what + " without bias");
    EXPECT_TRUE(same_bits(alone, dw)) << what << ": the bias gradient changes the weights'";
  });
}

void over_cases(void (*check)(const Problem&, bool integers, const std::string& what)) {
  size_t named = 0;
  const std::vector<Case> all = cases(&named);
  int ran = 0;
  for (size_t i = 0; i < all.size(); i += i < named ? 1 : kCaseStride) {
    ASSERT_TRUE(valid(all[i])) << name_of(all[i]);
    check(Problem(all[i], true), true, name_of(all[i]) + " integers");
    check(Problem(all[i], false), false, name_of(all[i]));
    ++ran;
  }
  EXPECT_GT(ran, 60);
}

}  // namespace

TEST(conv2d, agrees_with_the_reference) { over_cases(check_forward); }
TEST(conv2d, input_gradient_agrees_with_the_reference) { over_cases(check_backward_input); }
TEST(conv2d, weight_gradient_agrees_with_the_reference) { over_cases(check_backward_weight); }

// What is added and clipped in the last pass of each loop nest, and where the packed weights are kept for another run.
TEST(conv2d, finishes_what_it_made) {
  const std::vector<Case> some = {
      {2, 9, 8, 17, 35, 3, 3, 1, 1, 1, 1, 1, 1},     // panels with a tail
      {1, 12, 12, 300, 70, 3, 3, 2, 2, 1, 1, 1, 1},  // several blocks of the reduction
      {1, 9, 9, 64, 64, 1, 1},                       // weights in place
      {1, 9, 8, 40, 35, 7, 7, 1, 1, 3, 3, 3, 3},     // taps looked up, more than at once
      {3, 12, 12, 1, 6, 5, 5, 1, 1, 2, 2, 2, 2},     // pixels taken together
      {2, 9, 9, 40, 40, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 40},
      {1, 9, 33, 20, 20, 5, 5, 1, 1, 2, 2, 2, 2, 1, 1, 20},  // tiles beside each other
      {1, 9, 9, 12, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4},
      {1, 24, 24, 32, 48, 3, 3, 1, 1, 1, 1, 1, 1},   // minimal filtering, one block
      {1, 13, 14, 130, 97, 3, 3, 1, 1, 1, 1, 1, 1},  // of few tiles
      {1, 9, 9, 160, 64, 3, 3, 2, 2, 1, 1, 1, 1},    // few pixels, whose sums go in blocks
      {1, 7, 7, 352, 336, 3, 3, 1, 1, 1, 1, 1, 1},   // and weights that are far when they are transformed
      {8, 24, 24, 16, 19, 3, 3, 1, 1, 1, 1, 1, 1},   // and several
      {1, 45, 47, 3, 70, 7, 7, 2, 2, 3, 3, 3, 3},    // by steps
  };
  for (const Case& c : some) {
    const Conv2dShape s = shape_of(c);
    for (const double algorithm : {0., 2.}) {
      if (algorithm == 2 && !can_filter(s)) continue;
      const auto attrs = [&](double low, double high) {
        const auto d = [](int64_t v) { return static_cast<double>(v); };
        return std::vector<double>{d(c.sh), d(c.sw), d(c.top),    d(c.right), d(c.bottom), d(c.left),
                                   d(c.dh), d(c.dw), d(c.groups), algorithm,  low,         high};
      };
      const Operand x = reals({c.N, c.H, c.W, c.C}, 1), w = reals({c.kh, c.kw, c.C / c.groups, c.K}, 2), b = reals({c.K}, 3);
      const Dims y = {c.N, s.OH, s.OW, c.K};
      expect_agreement("conv2d", {x, w, b, reals(y, 4), result(y)}, attrs(0, HUGE_VAL), 2e-5, name_of(c) + " add, relu");
      expect_agreement("conv2d", {x, w, absent(), absent(), result(y)}, attrs(0, 1), 1e-4, name_of(c) + " clip");
      expect_agreement("conv2d", {x, w, b, reals(y, 4), result(y)}, attrs(-HUGE_VAL, HUGE_VAL), 2e-5, name_of(c) + " add");
      expect_kept("conv2d", {x, w, b, reals(y, 4), result(y)}, attrs(0, HUGE_VAL), 2e-5, name_of(c));
      expect_kept_lately("conv2d", {x, w, b, reals(y, 4), result(y)}, attrs(0, HUGE_VAL), name_of(c));
    }
  }
}

// Tensors larger than a cache are written past it, and asked for ahead of time: see far.h. Integers, so that sums are exact.
TEST(conv2d, agrees_where_tensors_are_far) {
  if (kCaseStride > 1) GTEST_SKIP() << "millions of elements";
  for (const Case& c : {Case{1, 512, 512, 8, 16, 1, 1}, Case{1, 512, 512, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 16},
                        Case{1, 4, 65536, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 16}}) {
    const auto d = [](int64_t v) { return static_cast<double>(v); };
    const std::vector<double> attrs{d(c.sh), d(c.sw), d(c.top),    d(c.right), d(c.bottom), d(c.left),
                                    d(c.dh), d(c.dw), d(c.groups), 0,          -HUGE_VAL,   HUGE_VAL};
    const Operand w = integers({c.kh, c.kw, c.C / c.groups, c.K}, 2), b = integers({c.K}, 3);
    expect_agreement("conv2d", {integers({c.N, c.H, c.W, c.C}, 1), w, b, absent(), result({c.N, c.H, c.W, c.K})}, attrs, 0, name_of(c));
    // half as many, which is far to what is read
    const Dims x{c.N, c.H / 2, c.W, c.C}, g{c.N, c.H / 2, c.W, c.K};
    expect_agreement("conv2d_backward_weight", {integers(x, 4, -2, 2), integers(g, 5, -2, 2), result(w.dims), result({c.K})},
                     {attrs.begin(), attrs.begin() + 10}, 0, name_of(c));
  }
}

// A gradient that is nearly all zero takes another way (conv2d_sparse.h), one that is a little less so, or has what is not zero where it
// is looked for, does not.
TEST(conv2d, gradients_of_outputs_that_are_nearly_all_zero) {
  const Case some[] = {
      {16, 1, 64, 40, 20, 1, 3, 1, 1, 0, 0, 0, 0},           // a sequence
      {3, 24, 26, 17, 11, 3, 3, 1, 1, 1, 1, 1, 1},           // awkward everywhere
      {3, 60, 50, 5, 34, 4, 3, 2, 3, 1, 2, 3, 1, 2, 1},      // strides and padding
      {2, 40, 50, 5, 33, 3, 4, 1, 1, 3, 5, 2, 4, 1, 3},      // taps apart, and beyond the borders
      {1, 70, 70, 3, 5, 2, 2, 1, 1, 0, 0, 0, 0},             // one image
      {70, 5, 5, 8, 10, 5, 5, 1, 1, 4, 4, 4, 4},             // many, whose outputs mostly see padding
      {8, 20, 20, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4},  // groups, which do not
  };
  for (const Case& c : some) {
    const Conv2dShape s = shape_of(c);
    const auto d = [](int64_t v) { return static_cast<double>(v); };
    const std::vector<double> attrs = {d(c.sh), d(c.sw), d(c.top), d(c.right), d(c.bottom), d(c.left), d(c.dh), d(c.dw), d(c.groups), 0};
    const Dims x{c.N, c.H, c.W, c.C}, w{c.kh, c.kw, c.C / c.groups, c.K}, y{c.N, s.OH, s.OW, c.K};
    ASSERT_GE(size_of_dims(y), 1 << 14) << "a small one is not looked at";
    for (const int64_t apart : {0, 15, 31, 33, 61, 997}) {  // one value in so many is not zero
      Operand g = integers(y, 5, 1, 4);
      for (size_t i = 0; i < g.values.size(); ++i) {
        if (apart == 0 || i * 2654435761 % 4294967296 / 4 % static_cast<uint64_t>(apart) != 0) g.values[i] = 0;
      }
      const std::string what = name_of(c) + ", one in " + std::to_string(apart);
      for (const bool bias : {false, true}) {
        expect_agreement("conv2d_backward_weight", {integers(x, 4, -2, 2), g, result(w), bias ? result({c.K}) : absent()}, attrs, 2e-5,
                         what);
        expect_agreement("conv2d_backward_input", {g, integers(w, 2), bias ? integers({c.C}, 3) : absent(), result(x)}, attrs, 2e-5, what);
      }
    }
  }
}

// What shows that it is taken.
TEST(conv2d, a_gradient_of_zero_adds_nothing_whatever_it_is_multiplied_with) {
  const Conv2dShape s = shape_of({4, 1, 64, 16, 80, 1, 3});
  Buffer<float> x(s.N * s.W * s.C), g(s.N * s.OW * s.K), w(3 * s.C * s.K), dw(w.size()), dx(x.size()), db(s.K);
  fill_reals(x, 1);
  fill_reals(w, 2);
  for (int64_t i = 0; i < g.size(); ++i) g[i] = 0;
  g[(s.OW + 7) * s.K + 3] = NAN;  // image 1, pixel 7, channel 3
  x[20 * s.C + 5] = INFINITY;     // of image 0
  each_isa([&](const KernelTable& table) {
    if (std::string(table.isa) == "sse2") return;  // it has no code of its own for this
    KernelContext context;
    context.begin();
    table.conv2d_backward_weight({s, x.data(), g.data(), dw.data(), db.data()}, context);
    table.conv2d_backward_input({s, g.data(), w.data(), nullptr, dx.data()}, context);
    for (int64_t i = 0; i < dw.size(); ++i) ASSERT_EQ(std::isnan(dw[i]), i % s.K == 3) << i;
    for (int64_t k = 0; k < s.K; ++k) ASSERT_EQ(std::isnan(db[k]), k == 3) << k;
    for (int64_t i = 0; i < dx.size(); ++i) {
      const int64_t pixel = i / s.C;
      ASSERT_EQ(std::isnan(dx[i]), pixel >= s.W + 7 && pixel < s.W + 10) << i;
    }
    // of channel 30, whose gradient is zero: a network that diverged shows
    w[30] = INFINITY;
    table.conv2d_backward_input({s, g.data(), w.data(), nullptr, dx.data()}, context);
    w[30] = 0;
    EXPECT_TRUE(std::isnan(dx[0]));
  });
}

// Pixels that no output sees may hold anything: they were multiplied with zeros beyond the row's end.
TEST(conv2d, weight_gradient_does_not_hear_of_what_no_output_sees) {
  for (const int64_t groups : {16, 4}) {
    const Conv2dShape s = shape_of({1, 1, 8, 16, 16, 1, 3, 1, 2, 0, 0, 0, 0, 1, 1, groups});  // columns 0 to 6, of 8
    Buffer<float> x(s.W * s.C), g(s.OW * s.K), dw(3 * s.C / s.groups * s.K);
    for (int64_t i = 0; i < x.size(); ++i) x[i] = i / s.C == 7 ? NAN : 1;
    for (int64_t i = 0; i < g.size(); ++i) g[i] = 1;
    each_isa([&](const KernelTable& table) {
      KernelContext context;
      context.begin();
      table.conv2d_backward_weight({s, x.data(), g.data(), dw.data(), nullptr}, context);
      for (int64_t i = 0; i < dw.size(); ++i) ASSERT_EQ(dw[i], 3) << "groups " << groups << ", at " << i;
    });
  }
}

TEST(conv2d, filtering_by_steps_does_not_hear_of_what_no_output_sees) {
  Conv2dShape s = shape_of({1, 32, 32, 16, 16, 5, 5, 2, 2});  // rows and columns 0 to 30
  s.algorithm = Conv2dShape::winograd;
  Buffer<float> x(s.H * s.W * s.C), w(25 * s.C * s.K), g(s.OH * s.OW * s.K), y(g.size()), dw(w.size());
  for (int64_t i = 0; i < x.size(); ++i) x[i] = i / s.C % s.W == 31 || i / s.C / s.W == 31 ? NAN : 1;
  fill_reals(w, 1);
  fill_reals(g, 2);
  each_isa([&](const KernelTable& table) {
    KernelContext context;
    context.begin();
    table.conv2d({s, x.data(), w.data(), nullptr, nullptr, y.data(), {}}, context);
    for (int64_t i = 0; i < y.size(); ++i) ASSERT_TRUE(std::isfinite(y[i])) << i;
    table.conv2d_backward_weight({s, x.data(), g.data(), dw.data(), nullptr}, context);
    for (int64_t i = 0; i < dw.size(); ++i) ASSERT_TRUE(std::isfinite(dw[i])) << i;
  });
}

TEST(conv2d, input_gradient_keeps_what_it_packs) {
  for (const Case& c : {Case{2, 9, 8, 17, 35, 3, 3, 2, 2, 1, 1, 1, 1}, Case{1, 24, 24, 32, 48, 3, 3, 1, 1, 1, 1, 1, 1},
                        Case{1, 45, 47, 3, 40, 7, 7, 2, 2, 3, 3, 3, 3}, Case{1, 33, 34, 20, 24, 5, 5, 2, 2, 2, 2, 2, 2}}) {
    const Conv2dShape s = shape_of(c);
    const auto d = [](int64_t v) { return static_cast<double>(v); };
    for (const double algorithm : {0., 2.}) {
      if (algorithm == 2 && !can_filter(s)) continue;
      expect_kept("conv2d_backward_input",
                  {reals({c.N, s.OH, s.OW, c.K}, 1), reals({c.kh, c.kw, c.C, c.K}, 2), absent(), result({c.N, c.H, c.W, c.C})},
                  {d(c.sh), d(c.sw), d(c.top), d(c.right), d(c.bottom), d(c.left), d(c.dh), d(c.dw), 1, algorithm}, 2e-5, name_of(c));
    }
  }
}

// record_conv2d(x, w, b, add, y; attrs) must refuse whatever its kernel could not run on.
TEST(conv2d, record_refuses_bad_arguments) {
  struct Arguments {
    Tensor x{nullptr, Dtype::float32, 4, {2, 7, 9, 6}}, w{nullptr, Dtype::float32, 4, {3, 3, 3, 4}}, b{nullptr, Dtype::float32, 1, {4}},
        bx{nullptr, Dtype::float32, 1, {6}}, y{nullptr, Dtype::float32, 4, {2, 4, 4, 4}};
    std::vector<double> attrs = {2, 2, 1, 0, 1, 0, 1, 1, 2, 0, -HUGE_VAL, HUGE_VAL};
  };
  const auto record = [](const std::string& name, const Arguments& a) {
    for (const Op* op = all_ops(); op->name; ++op) {
      if (name != op->name) continue;
      Call call;
      call.op = op->name;
      call.tensors = op->tensors;
      call.attrs = op->attrs;
      const std::vector<const Tensor*> order = name == "conv2d" ? std::vector{&a.x, &a.w, &a.b, static_cast<const Tensor*>(nullptr), &a.y}
                                               : name == "conv2d_backward_input" ? std::vector{&a.y, &a.w, &a.bx, &a.x}
                                                                                 : std::vector{&a.x, &a.y, &a.w, &a.b};
      std::copy(order.begin(), order.end(), call.tensor);
      std::copy_n(a.attrs.begin(), op->attrs, call.attr);
      return op->record(call);
    }
    FAIL() << "no op " << name;
  };
  const std::vector<std::pair<const char*, std::function<void(Arguments&)>>> faults = {
      {"input rank", [](Arguments& a) { a.x.rank = 3; }},
      {"weight rank", [](Arguments& a) { a.w.rank = 5; }},
      {"bias length", [](Arguments& a) { a.b.dims[0] = a.bx.dims[0] = 5; }},
      {"bias dtype", [](Arguments& a) { a.b.dtype = a.bx.dtype = Dtype::float64; }},
      {"weight dtype", [](Arguments& a) { a.w.dtype = Dtype::float64; }},
      {"output dtype", [](Arguments& a) { a.y.dtype = Dtype::int32; }},
      {"integer input", [](Arguments& a) { a.x.dtype = a.w.dtype = a.y.dtype = Dtype::int32; }},
      {"output batch", [](Arguments& a) { a.y.dims[0] = 3; }},
      {"output height", [](Arguments& a) { a.y.dims[1] = 5; }},
      {"output width", [](Arguments& a) { a.y.dims[2] = 3; }},
      {"output channels", [](Arguments& a) { a.y.dims[3] = 2; }},
      {"input channels", [](Arguments& a) { a.x.dims[3] = 5; }},
      {"weight input channels", [](Arguments& a) { a.w.dims[2] = 6; }},
      {"no kernel", [](Arguments& a) { a.w.dims[0] = 0; }},
      {"kernel larger than the image", [](Arguments& a) { a.w.dims[0] = 10; }},
      {"no channels", [](Arguments& a) { a.x.dims[3] = a.w.dims[2] = 0; }},
      {"groups not a divisor", [](Arguments& a) { a.attrs[8] = 4; }},
      {"groups 0", [](Arguments& a) { a.attrs[8] = 0; }},
      {"stride 0", [](Arguments& a) { a.attrs[0] = 0; }},
      {"stride too large", [](Arguments& a) { a.attrs[1] = 65536; }},
      {"fractional stride", [](Arguments& a) { a.attrs[0] = 1.5; }},
      {"NaN padding", [](Arguments& a) { a.attrs[2] = NAN; }},
      {"negative padding", [](Arguments& a) { a.attrs[5] = -1; }},
      {"cells no window reaches, more than there are", [](Arguments& a) { a.attrs[4] = -6; }},
      {"padding without bound", [](Arguments& a) { a.attrs[4] = -65536; }},
      {"dilation 0", [](Arguments& a) { a.attrs[6] = 0; }},
      {"other padding", [](Arguments& a) { a.attrs[5] = 4; }},
      {"padding without end",
       [](Arguments& a) {
         a.x = {nullptr, Dtype::float32, 4, {2, 7, 9, 8192}};
         a.w.dims[2] = 4096;
         a.y = {nullptr, Dtype::float32, 4, {2, 65541, 65543, 4}};
         a.attrs = {1, 1, 32768, 32768, 32768, 32768, 1, 1, 2, 0, -HUGE_VAL, HUGE_VAL};
       }},
      {"no such algorithm", [](Arguments& a) { a.attrs[9] = 3; }},
      {"winograd with stride 2", [](Arguments& a) { a.attrs[9] = 2; }},
  };
  for (const char* op : {"conv2d", "conv2d_backward_input", "conv2d_backward_weight"}) {
    EXPECT_NO_THROW(record(op, {})) << op;
    for (const auto& [what, spoil] : faults) {
      Arguments a;
      spoil(a);
      EXPECT_THROW(record(op, a), OpError) << op << ": " << what;
    }
  }
}

}  // namespace receptive::test::conv2d_test
