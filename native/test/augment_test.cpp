#include "../ops/augment.h"

#include "op_case.h"

namespace receptive::test::augment_test {

namespace {

const double kZeros = static_cast<double>(Border::zeros), kReplicate = static_cast<double>(Border::replicate),
             kReflect = static_cast<double>(Border::reflect);

// A row of changes that does nothing, with some of its numbers set.
std::vector<double> change(const std::vector<std::pair<int, double>>& set = {}) {
  std::vector<double> c{0, 1, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0};
  for (const auto& [at, value] : set) c[static_cast<size_t>(at)] = static_cast<double>(static_cast<float>(value));
  return c;
}

Operand changes(const std::vector<std::vector<double>>& rows) {
  std::vector<double> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return values({static_cast<int64_t>(rows.size()), kImageChanges}, all);
}

Operand pixels(Dims dims, uint32_t seed) {
  const Operand o = integers(dims, seed, 0, 255);
  return bytes(std::move(dims), o.values);
}

// One of each kind of motion.
std::vector<std::vector<double>> motions() {
  return {change(),
          change({{kRow, -2}, {kColumn, 1}}),
          change({{kRow, 1}, {kColumn, -3}}),
          change({{kColumn, 4}, {kColumn + 2, -1}}),                     // flipped
          change({{kColumn, 7}, {kColumn + 2, -1}, {kRow, 3}}),          // flipped and moved
          change({{kRow, 4}, {kRow + 1, -1}}),                           // upside down
          change({{kRow, 100}, {kColumn, -100}}),                        // far away
          change({{kRow, 0.25}, {kColumn, -0.5}}),                       // by parts of a cell
          change({{kRow, -0.75}, {kRow + 1, 0.5}, {kColumn + 2, 1.5}}),  // scaled
          change({{kRow, 1.5}, {kRow + 1, 0.8}, {kRow + 2, -0.6}, {kColumn, -1.2}, {kColumn + 1, 0.6}, {kColumn + 2, 0.8}}),  // turned
          change({{kRow, 1e30}, {kColumn, -1e30}}),
          change({{kRow + 2, 1}, {kRow + 1, 0}, {kColumn + 1, 1}, {kColumn + 2, 0}})};  // transposed
}

}  // namespace

TEST(augment, motions_agree_with_the_reference) {
  const auto how = motions();
  const auto N = static_cast<int64_t>(how.size());
  for (const double border : {kZeros, kReplicate, kReflect}) {
    for (const Dims& size : {Dims{1, 1, 1, 1}, Dims{1, 6, 5, 2}, Dims{7, 5, 7, 5}, Dims{5, 8, 9, 3}, Dims{28, 28, 24, 26}}) {
      for (const int64_t C : {1, 3, 15, 16, 17}) {
        const Dims x{N, size[0], size[1], C}, y{N, size[2], size[3], C};
        const std::string what = std::to_string(size[0]) + "x" + std::to_string(size[1]) + " to " + std::to_string(size[2]) + "x" +
                                 std::to_string(size[3]) + "x" + std::to_string(C) + ", border " + std::to_string(border);
        expect_agreement("augment", {pixels(x, 1), changes(how), absent(), absent(), result(y), absent()}, {border}, 1e-6, what);
        expect_agreement("augment", {reals(x, 2), changes(how), reals({C}, 3), reals({C}, 4), result(y), absent()}, {border}, 2e-6, what);
      }
    }
  }
}

TEST(augment, random_affine_maps_agree_with_the_reference) {
  std::mt19937 random(1);
  const auto uniform = [&](double low, double high) { return low + (high - low) * (random() % 4096) / 4096.0; };
  for (int round = 0; round < 60; ++round) {
    const int64_t H = 1 + random() % 12, W = 1 + random() % 12, OH = 1 + random() % 12, OW = 1 + random() % 12, C = 1 + random() % 4;
    std::vector<std::vector<double>> how;
    for (int n = 0; n < 8; ++n) {
      how.push_back(change({{kRow, uniform(-12, 12)},
                            {kRow + 1, uniform(-2, 2)},
                            {kRow + 2, uniform(-2, 2)},
                            {kColumn, uniform(-12, 12)},
                            {kColumn + 1, uniform(-2, 2)},
                            {kColumn + 2, uniform(-2, 2)}}));
    }
    for (const double border : {kZeros, kReplicate, kReflect}) {
      expect_agreement("augment", {pixels({8, H, W, C}, round), changes(how), absent(), absent(), result({8, OH, OW, C}), absent()},
                       {border}, 1e-6, "round " + std::to_string(round));
    }
  }
}

TEST(augment, colours_and_cutout_agree_with_the_reference) {
  const std::vector<std::vector<double>> how{
      change({{kBrightness, 1.4}}),
      change({{kBrightness, 0.3}}),
      change({{kContrast, 1.8}}),
      change({{kContrast, 0}}),
      change({{kSaturation, 2}}),
      change({{kSaturation, 0.1}}),
      change({{kBrightness, 0.8}, {kContrast, 1.2}, {kSaturation, 1.5}, {kRow, 1}, {kColumn, 0.5}}),
      change({{kCut, 1}, {kCut + 1, 2}, {kCut + 2, 4}, {kCut + 3, 5}}),
      change({{kCut, -3}, {kCut + 1, -3}, {kCut + 2, 2}, {kCut + 3, 99}}),
      change({{kCut, 1.5}, {kCut + 1, 0.5}, {kCut + 2, 3.5}, {kCut + 3, 2.5}}),
      change({{kCut, 3}, {kCut + 1, 3}, {kCut + 2, 1}, {kCut + 3, 1}}),
      change({{kCut, -9}, {kCut + 1, -9}, {kCut + 2, -1}, {kCut + 3, -1}}),
      change({{kBrightness, 1.2}, {kColumn, 6}, {kColumn + 2, -1}, {kCut, 0}, {kCut + 1, 0}, {kCut + 2, 2}, {kCut + 3, 2}})};
  const auto N = static_cast<int64_t>(how.size());
  for (const int64_t C : {1, 2, 3, 4, 17}) {
    const Dims x{N, 6, 7, C};
    expect_agreement("augment", {pixels(x, 1), changes(how), reals({C}, 3, 1, 4), reals({C}, 4), result(x), absent()}, {kZeros}, 2e-6,
                     std::to_string(C) + " channels of bytes");
    expect_agreement("augment", {reals(x, 2, 0, 1), changes(how), absent(), reals({C}, 4), result(x), absent()}, {kReflect}, 2e-6,
                     std::to_string(C) + " channels");
  }
}

TEST(augment, without_changes_normalises) {
  for (const int64_t N : {0, 1, 40}) {
    for (const int64_t C : {1, 3, 16, 17}) {
      const Dims x{N, 9, 11, C};
      expect_agreement("augment", {pixels(x, 1), absent(), reals({C}, 3, 1, 4), reals({C}, 4), result(x), absent()}, {kZeros}, 1e-6,
                       "bytes");
      expect_agreement("augment", {reals(x, 1), absent(), reals({C}, 3, 1, 4), absent(), result(x), absent()}, {kZeros}, 1e-6, "numbers");
    }
  }
}

TEST(augment, takes_the_images_named) {
  const auto how = motions();
  std::vector<double> index(20);
  for (size_t i = 0; i < index.size(); ++i) index[i] = static_cast<double>(i * 7 % 9);
  for (const int64_t C : {1, 3, 17}) {
    for (const int64_t H : {1, 5, 80}) {  // the last longer than what is asked for ahead
      const Dims x{9, H, 57, C}, y{20, H, 57, C};
      const Operand at = int32s({20}, index);
      expect_agreement("augment", {pixels(x, 1), absent(), reals({C}, 3, 1, 4), reals({C}, 4), result(y), at}, {kZeros}, 1e-6, "bytes");
      expect_agreement("augment", {pixels(x, 1), absent(), absent(), absent(), result(y), at}, {kZeros}, 1e-6, "bytes as they are");
      expect_agreement("augment", {reals(x, 2), absent(), reals({C}, 3), absent(), result(y), at}, {kZeros}, 2e-6, "numbers");
    }
    const auto N = static_cast<int64_t>(how.size());
    const Operand some = int32s({N}, {index.begin(), index.begin() + N});
    expect_agreement("augment", {pixels({9, 6, 7, C}, 1), changes(how), reals({C}, 3), absent(), result({N, 5, 8, C}), some}, {kReflect},
                     2e-6, "changed");
  }
  expect_agreement("augment", {pixels({9, 6, 7, 1}, 1), absent(), absent(), absent(), result({0, 6, 7, 1}), int32s({0}, {})}, {kZeros}, 0,
                   "none");
}

TEST(augment, reports_a_bad_index_and_gives_zeros) {
  for (const double bad : {-1.0, 2.0, 2147483647.0, -2147483648.0}) {
    for (const Dtype real : {Dtype::float32, Dtype::float64}) {
      const OpRun run(
          "augment",
          {bytes({2, 1, 2, 1}, {0, 255, 51, 102}), absent(), absent(), values({1}, {1}), result({3, 1, 2, 1}), int32s({3}, {1, bad, 0})},
          {kZeros}, real);
      EXPECT_EQ(run.failure, "augment: index " + std::to_string(static_cast<int64_t>(bad)) + " at 1, expected 0 to 1");
      const std::vector<double> y = run[4].all();
      EXPECT_EQ(std::vector<double>(y.begin() + 2, y.end()), (std::vector<double>{0, 0, 1, 2}));
      EXPECT_NEAR(y[0], 1.2, 1e-6);
    }
  }
}

// Worked by hand: 1 2 3 / 4 5 6 in numbers.
TEST(augment, is_what_the_formula_says) {
  const Operand x = values({1, 2, 3, 1}, {1, 2, 3, 4, 5, 6});
  const auto run = [&](const std::vector<double>& how, double border, Dims y = {1, 2, 3, 1}) {
    std::vector<double> all;
    for (const Dtype real : {Dtype::float64, Dtype::float32}) {
      const std::vector<double> out =
          OpRun("augment", {x, changes({how}), absent(), absent(), result(y), absent()}, {border}, real)[4].all();
      EXPECT_TRUE(all.empty() || out == all);
      all = out;
    }
    return all;
  };
  using List = std::vector<double>;
  EXPECT_EQ(run(change({{kColumn, 2}, {kColumn + 2, -1}}), kZeros), (List{3, 2, 1, 6, 5, 4}));
  EXPECT_EQ(run(change({{kRow, -1}, {kColumn, 1}}), kZeros), (List{0, 0, 0, 2, 3, 0}));
  EXPECT_EQ(run(change({{kRow, -1}, {kColumn, 1}}), kReplicate), (List{2, 3, 3, 2, 3, 3}));
  EXPECT_EQ(run(change({{kRow, -1}, {kColumn, 1}}), kReflect), (List{5, 6, 5, 2, 3, 2}));
  EXPECT_EQ(run(change({{kColumn, -3}}), kReflect), (List{2, 3, 2, 5, 6, 5})) << "farther than the image is wide";
  EXPECT_EQ(run(change({{kColumn, 0.5}}), kZeros), (List{1.5, 2.5, 1.5, 4.5, 5.5, 3}));
  EXPECT_EQ(run(change({{kColumn, 0.5}}), kReplicate), (List{1.5, 2.5, 3, 4.5, 5.5, 6}));
  EXPECT_EQ(run(change({{kRow, 0.5}, {kColumn, 0.5}}), kReflect), (List{3, 4, 4, 3, 4, 4}));
  EXPECT_EQ(run(change({{kRow + 1, 0}, {kRow + 2, 1}, {kColumn + 1, 1}, {kColumn + 2, 0}}), kZeros, {1, 3, 2, 1}),
            (List{1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(run(change({{kCut, 0}, {kCut + 1, 1}, {kCut + 2, 1}, {kCut + 3, 9}}), kZeros), (List{1, 0, 0, 4, 5, 6}));
}

// Bytes moved by whole cells come out as byte / 255 exactly as in the image that was not moved.
TEST(augment, whole_cells_move_exactly) {
  const Dims x{1, 16, 16, 3};
  const Operand in = pixels(x, 1);
  each_isa([&](const KernelTable&) {
    const OpRun still("augment", {in, absent(), absent(), absent(), result(x), absent()}, {kZeros}, Dtype::float32);
    for (int64_t k = 0; k < 16 * 16 * 3; ++k) {
      EXPECT_EQ(still[4].at(k), static_cast<double>(static_cast<float>(in.values[static_cast<size_t>(k)]) * (1.0f / 255.0f)));
    }
    for (const double flip : {1, -1}) {
      const OpRun moved(
          "augment",
          {in, changes({change({{kRow, 3}, {kColumn, flip > 0 ? -2 : 13}, {kColumn + 2, flip}})}), absent(), absent(), result(x), absent()},
          {kZeros}, Dtype::float32);
      for (int64_t i = 0; i < 13; ++i) {
        for (int64_t j = 2; j < 14; ++j) {
          const int64_t from = flip > 0 ? j - 2 : 13 - j;
          for (int64_t c = 0; c < 3; ++c) EXPECT_EQ(moved[4].at((i * 16 + j) * 3 + c), still[4].at(((i + 3) * 16 + from) * 3 + c));
        }
      }
    }
  });
}

// The changes are data: any numbers may stand in them.
TEST(augment, any_numbers_stay_in_the_image) {
  const double odd[] = {NAN, INFINITY, -INFINITY, 1e38, -1e38, 0, -0.0, 1, -1, 0.5, 16777216, -16777216, 16777218, 3e9, 1e-40};
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::vector<double>> how(4, change());
    for (auto& row : how) {
      for (double& v : row) v = random() % 2 ? v : odd[random() % std::size(odd)];
    }
    const auto up_to = [&](uint32_t most) { return static_cast<int64_t>(1 + random() % most); };
    const Dims x{4, up_to(6), up_to(6), up_to(4)}, y{4, up_to(6), up_to(6), x[3]};
    each_isa([&](const KernelTable&) {
      for (const Dtype real : {Dtype::float32, Dtype::float64}) {
        const OpRun run("augment", {pixels(x, 1), changes(how), absent(), absent(), result(y), absent()}, {static_cast<double>(round % 3)},
                        real);
        for (const size_t i : {0, 1, 4}) run[i].verify("round " + std::to_string(round));
        EXPECT_EQ(run.failure, "");
      }
    });
  }
}

TEST(augment, refuses_what_does_not_fit) {
  const Operand x = reals({2, 4, 5, 3}, 1), how = changes({change(), change()}), y = result({2, 4, 5, 3}), c = reals({3}, 1);
  expect_refused("augment", {reals({2, 4, 5}, 1), how, c, c, y, absent()}, {kZeros}, "rank 4");
  expect_refused("augment", {int32s({2, 4, 5, 3}, std::vector<double>(120)), how, c, c, y, absent()}, {kZeros}, "input is int32");
  expect_refused("augment", {x, how, c, c, int32_result({2, 4, 5, 3}), absent()}, {kZeros}, "output is int32");
  expect_refused("augment", {x, how, c, c, result({3, 4, 5, 3}), absent()}, {kZeros}, "output has shape [3,4,5,3]");
  expect_refused("augment", {x, how, c, c, result({2, 4, 5, 2}), absent()}, {kZeros}, "output has shape [2,4,5,2]");
  expect_refused("augment", {x, absent(), c, c, result({2, 4, 4, 3}), absent()}, {kZeros}, "without changes");
  expect_refused("augment", {x, changes({change()}), c, c, y, absent()}, {kZeros}, "expected [2,13]");
  expect_refused("augment", {x, reals({2, 12}, 1), c, c, y, absent()}, {kZeros}, "expected [2,13]");
  expect_refused("augment", {x, bytes({2, 13}, std::vector<double>(26)), c, c, y, absent()}, {kZeros}, "changes is uint8");
  expect_refused("augment", {x, how, reals({4}, 1), c, y, absent()}, {kZeros}, "scale has 4 elements for 3 channels");
  expect_refused("augment", {x, how, c, reals({1, 3}, 1), y, absent()}, {kZeros}, "rank 1");
  expect_refused("augment", {x, how, c, c, y, absent()}, {3}, "attribute 0");
  const Operand index = int32s({3}, {0, 1, 0}), three = changes({change(), change(), change()});
  expect_refused("augment", {x, three, c, c, y, index}, {kZeros}, "output has shape [2,4,5,3]");
  expect_refused("augment", {x, how, c, c, result({3, 4, 5, 3}), index}, {kZeros}, "changes has shape [2,13], expected [3,13]");
  expect_refused("augment", {x, three, c, c, result({3, 4, 5, 3}), reals({3}, 1)}, {kZeros}, "index is float");
  expect_refused("augment", {x, three, c, c, result({3, 4, 5, 3}), int32s({3, 1}, {0, 1, 0})}, {kZeros}, "index has shape [3,1]");
  expect_refused("augment", {reals({2, 0, 5, 3}, 1), how, c, c, y, absent()}, {kZeros}, "images of 0 x 5 cells");
}

}  // namespace receptive::test::augment_test
