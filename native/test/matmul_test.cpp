#include "../ops/matmul.h"

#include <array>
#include <functional>

#include "../ops/op.h"
#include "op_case.h"
#include "products.h"

namespace receptive {
void record_matmul(Call&);
}

namespace receptive::test::matmul_test {

namespace {

struct Case {
  int64_t batch, M, N, K;
};

void check(const Case& c, bool trans_a, bool trans_b, bool bias, bool integers) {
  const std::string what = std::to_string(c.batch) + " of " + std::to_string(c.M) + "x" + std::to_string(c.N) + "x" + std::to_string(c.K) +
                           (trans_a ? " a transposed" : "") + (trans_b ? " b transposed" : "") + (bias ? " bias" : "");
  Buffer<float> a(c.batch * c.M * c.K), b(c.batch * c.K * c.N), v(c.N);
  if (integers) {
    fill_integers(a, 1), fill_integers(b, 2), fill_integers(v, 3);
  } else {
    fill_reals(a, 1), fill_reals(b, 2), fill_reals(v, 3);
  }
  Buffer<double> ref(c.batch * c.M * c.N), magnitude(c.batch * c.M * c.N);
  const auto refer = [&](const Buffer<double>& a, const Buffer<double>& b, const Buffer<double>& v, Buffer<double>& y) {
    KernelContext context;
    reference::matmul<double>({c.batch, c.M, c.N, c.K, trans_a, trans_b, a.data(), b.data(), bias ? v.data() : nullptr, y.data()}, context);
  };
  if (kAgainstReference) {
    const Buffer<double> A = widen(a), B = widen(b), V = widen(v);
    refer(A, B, V, ref);
    if (!integers) refer(absolute(A), absolute(B), absolute(V), magnitude);
  }
  each_isa([&](const KernelTable& table) {
    Buffer<float> y(c.batch * c.M * c.N);
    run_on_threads(table.matmul,
                   MatmulArgs<float>{c.batch, c.M, c.N, c.K, trans_a, trans_b, a.data(), b.data(), bias ? v.data() : nullptr, y.data(), {}},
                   y, what);
    if (integers) {
      expect_close(y, ref, 0, what);
    } else {
      expect_within_summation_error(y, ref, magnitude, c.K + 1, what);
    }
  });
}

}  // namespace

TEST(matmul, every_tail_of_every_dimension) {
  for (int64_t m = 1; m <= 17; ++m)
    for (int64_t n = 1; n <= 70; n += 1 + n / 20)
      for (const int64_t k : {1, 2, 5, 16, 19}) {
        check({1, m, n, k}, false, false, false, true);
        check({1, m, n, k}, false, true, true, true);
        check({1, m, n, k}, true, false, true, true);
        check({1, m, n, k}, true, true, false, true);
      }
}

TEST(matmul, agrees_with_the_reference) {
  const Case cases[] =
      {
          {1, 64, 120, 400},  {1, 64, 10, 84},    {1, 400, 120, 64}, {1, 1, 120, 400},  {1, 1, 1000, 512}, {1, 33, 70, 2100},
          {1, 200, 300, 64},  {3, 20, 30, 40},    {5, 1, 1, 7},      {2, 130, 65, 33},  {1, 1, 1, 1},      {1, 257, 129, 65},
          {4, 64, 64, 64},    {1, 3, 1, 1000},    {1, 1000, 1, 3},   {1, 1, 3000, 300}, {7, 2, 9, 11},     {1, 16, 4096, 16},
          {2, 130, 520, 260}, {1, 300, 700, 515},  // several panels to a chunk, of unlike widths
      };
  for (const Case& c : cases)
    for (const bool trans_a : {false, true})
      for (const bool trans_b : {false, true})
        for (const bool integers : {false, true}) check(c, trans_a, trans_b, integers, integers);
}

TEST(matmul, empty_operands) {
  for (const Case& c : {Case{0, 3, 4, 5}, Case{1, 0, 4, 5}, Case{1, 3, 0, 5}, Case{2, 3, 4, 0}})
    for (const bool trans_a : {false, true})
      for (const bool trans_b : {false, true}) check(c, trans_a, trans_b, true, true);
}

TEST(matmul, clips_its_results_and_keeps_what_it_packs) {
  for (const auto& [M, N, K] : {std::array<int64_t, 3>{3, 37, 70}, {40, 130, 800}, {1, 5, 0}}) {
    for (const double trans_b : {0., 1.}) {
      const std::vector<Operand> operands = {reals({M, K}, 1), reals(trans_b != 0 ? Dims{N, K} : Dims{K, N}, 2), reals({N}, 3),
                                             result({M, N})};
      expect_agreement("matmul", operands, {0, trans_b, 0, HUGE_VAL}, 2e-5, "relu");
      expect_agreement("matmul", operands, {0, trans_b, -0.25, 0.5}, 1e-4, "clip");
      expect_kept("matmul", operands, {0, trans_b, 0, HUGE_VAL}, 2e-5, "kept");
      expect_kept_lately("matmul", operands, {0, trans_b, 0, HUGE_VAL}, "kept lately");
    }
  }
}

TEST(matmul, record_refuses_bad_arguments) {
  struct Arguments {
    Tensor a{nullptr, Dtype::float32, 3, {2, 5, 3}}, b{nullptr, Dtype::float32, 3, {2, 7, 5}}, bias{nullptr, Dtype::float32, 1, {7}},
        y{nullptr, Dtype::float32, 3, {2, 3, 7}};
    double trans_a = 1, trans_b = 1, low = -HUGE_VAL, high = HUGE_VAL;
  };
  const auto record = [](const Arguments& p) {
    Call call;
    call.op = "matmul";
    call.tensors = 4;
    call.attrs = 4;
    call.tensor[0] = &p.a, call.tensor[1] = &p.b, call.tensor[2] = &p.bias, call.tensor[3] = &p.y;
    call.attr[0] = p.trans_a, call.attr[1] = p.trans_b, call.attr[2] = p.low, call.attr[3] = p.high;
    record_matmul(call);
  };
  EXPECT_NO_THROW(record({}));
  const std::vector<std::pair<const char*, std::function<void(Arguments&)>>> faults = {
      {"ranks differ", [](Arguments& p) { p.b.rank = 2; }},
      {"rank 1", [](Arguments& p) { p.a.rank = p.b.rank = p.y.rank = 1; }},
      {"batches differ", [](Arguments& p) { p.b.dims[0] = 3; }},
      {"output batch", [](Arguments& p) { p.y.dims[0] = 1; }},
      {"inner dimensions differ", [](Arguments& p) { p.a.dims[1] = 4; }},
      {"output rows", [](Arguments& p) { p.y.dims[1] = 4; }},
      {"output columns", [](Arguments& p) { p.y.dims[2] = 6; }},
      {"not transposed", [](Arguments& p) { p.trans_a = 0; }},
      {"flag", [](Arguments& p) { p.trans_b = 2; }},
      {"bias length", [](Arguments& p) { p.bias.dims[0] = 8; }},
      {"bias rank", [](Arguments& p) { p.bias.rank = 2; }},
      {"dtypes", [](Arguments& p) { p.b.dtype = Dtype::float64; }},
      {"bias dtype", [](Arguments& p) { p.bias.dtype = Dtype::float64; }},
      {"output dtype", [](Arguments& p) { p.y.dtype = Dtype::float64; }},
      {"nothing to clip to", [](Arguments& p) { p.low = p.high = 1; }},
      {"clipped, of a transposed left operand", [](Arguments& p) { p.low = 0; }},
      {"integers", [](Arguments& p) { p.a.dtype = p.b.dtype = p.y.dtype = p.bias.dtype = Dtype::int32; }},
  };
  for (const auto& [what, spoil] : faults) {
    Arguments p;
    spoil(p);
    EXPECT_THROW(record(p), OpError) << what;
  }
}

}  // namespace receptive::test::matmul_test
