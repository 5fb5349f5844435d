#include "../ops/philox.h"
#include "op_case.h"

namespace receptive::test::random_test {

namespace {

enum Kind { uniform, normal };

std::vector<double> draw(int64_t n, Kind kind, double a, double b, double seed, double offset_low = 0, double offset_high = 0,
                         Dtype dtype = Dtype::float32) {
  const OpRun run("random", {result({n})}, {double(kind), a, b, seed, 1, offset_low, offset_high}, dtype);
  run[0].verify("random");
  return run[0].all();
}

struct Moments {
  double mean, variance, skewness, kurtosis;
};
Moments moments_of(const std::vector<double>& x) {
  const double n = static_cast<double>(x.size());
  double mean = 0, m2 = 0, m3 = 0, m4 = 0;
  for (const double v : x) mean += v / n;
  for (const double v : x) {
    const double d = v - mean;
    m2 += d * d / n, m3 += d * d * d / n, m4 += d * d * d * d / n;
  }
  return {mean, m2, m3 / std::pow(m2, 1.5), m4 / (m2 * m2)};
}

}  // namespace

// The vectors that come with the generator (Random123, kat_vectors).
TEST(random, philox_gives_its_known_answers) {
  const struct {
    uint32_t counter[4], key[2], answer[4];
  } vectors[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const auto& v : vectors) {
    uint32_t words[4][3];  // the middle lane of three
    for (int j = 0; j < 4; ++j) words[j][0] = words[j][2] = 0, words[j][1] = v.counter[j];
    philox_rounds(words, v.key[0], v.key[1]);
    for (int j = 0; j < 4; ++j) EXPECT_EQ(words[j][1], v.answer[j]);
  }
}

TEST(random, element_i_is_word_i_of_the_stream) {
  uint32_t words[4][1];
  philox({{7, 1}, (uint64_t{9} << 32) + 5}, 2, words);
  const std::vector<double> y = draw(12, uniform, 0, 1, 7, 5, 9, Dtype::float64);
  for (int j = 0; j < 4; ++j) EXPECT_EQ(y[static_cast<size_t>(8 + j)], words[j][0] * 0x1p-32);
}

TEST(random, is_the_same_for_any_number_of_threads) {
  for (const int64_t n : {0, 1, 2, 3, 5, 2048, 40003}) {
    for (const Kind kind : {uniform, normal}) expect_agreement("random", {result({n})}, {double(kind), -1, 2, 1, 2, 3, 4}, 2e-7, "random");
  }
}

TEST(random, a_stream_continues_where_its_offset_says) {
  for (const Kind kind : {uniform, normal}) {
    const std::vector<double> all = draw(1000, kind, 0, 1, 3), rest = draw(600, kind, 0, 1, 3, 100);
    EXPECT_TRUE(std::equal(rest.begin(), rest.end(), all.begin() + 400));
    EXPECT_NE(draw(1000, kind, 0, 1, 4), all);
    EXPECT_NE(draw(1000, kind, 0, 1, 3, 0, 1), all);
  }
  const std::vector<double> end = draw(8, uniform, 0, 1, 3, 4294967295.0, 0), carried = draw(4, uniform, 0, 1, 3, 0, 1);
  EXPECT_TRUE(std::equal(carried.begin(), carried.end(), end.begin() + 4));
}

TEST(random, uniform_fills_its_interval_and_never_reaches_the_end) {
  const double n = 1000000;
  const std::vector<double> y = draw(1000000, uniform, -3, 5, 11);
  const Moments m = moments_of(y);
  EXPECT_GE(*std::min_element(y.begin(), y.end()), -3);
  EXPECT_LT(*std::max_element(y.begin(), y.end()), 5);
  EXPECT_NEAR(m.mean, 1, 5 * std::sqrt(64 / 12.0 / n));
  EXPECT_NEAR(m.variance, 64 / 12.0, 0.03);
  // one float lies between these ends: every value must be the lower
  const std::vector<double> narrow = draw(1000, uniform, 1, 1 + 0x1p-23, 1);
  EXPECT_EQ(narrow, std::vector<double>(1000, 1));
}

TEST(random, normal_has_the_moments_of_the_normal_distribution) {
  const double n = 1000000;
  const Moments m = moments_of(draw(1000000, normal, 2, 3, 12));
  EXPECT_NEAR(m.mean, 2, 5 * 3 / std::sqrt(n));
  EXPECT_NEAR(m.variance, 9, 5 * 9 * std::sqrt(2 / n));
  EXPECT_NEAR(m.skewness, 0, 5 * std::sqrt(6 / n));
  EXPECT_NEAR(m.kurtosis, 3, 5 * std::sqrt(24 / n));
}

TEST(random, refuses_what_does_not_fit) {
  expect_refused("random", {int32_result({4})}, {0, 0, 1, 0, 0, 0, 0}, "float32");
  expect_refused("random", {result({4})}, {2, 0, 1, 0, 0, 0, 0}, "attribute 0");
  expect_refused("random", {result({4})}, {0, 0, 1, 0.5, 0, 0, 0}, "attribute 3");
  expect_refused("random", {result({4})}, {0, 0, 1, 0, 0, 0, -1}, "attribute 6");
}

}  // namespace receptive::test::random_test
