#include "../runtime/allocator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "../runtime/sanitizers.h"
#include "../runtime/tensor_table.h"

#if RECEPTIVE_ASAN || RECEPTIVE_TSAN
// Sanitizers end the process when memory is refused, unless told otherwise.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
#endif

namespace receptive::test {

namespace {

constexpr size_t kHuge = size_t{1} << 46;

// An allocator for a stream whose progress the test decides.
struct Fixture {
  std::atomic<uint64_t> completed{0};
  Allocator allocator{completed};

  // A block that commands up to `last_use` touch, back in the cache.
  void* cached(size_t bytes, uint64_t last_use) {
    Block* block = allocator.take(bytes);
    void* const data = block->data;
    block->last_use = last_use;
    allocator.put(block);
    return data;
  }
};

}  // namespace

TEST(allocator, size_classes_hold_what_was_asked_and_little_more) {
  std::mt19937_64 random(1);
  size_t previous = 0;
  for (int c = 0; c < 300; ++c) {
    const size_t bytes = Allocator::class_bytes(c);
    ASSERT_GT(bytes, previous);
    ASSERT_EQ(bytes % Allocator::kAlignment, 0u);
    ASSERT_EQ(Allocator::class_of(bytes), c);
    ASSERT_EQ(Allocator::class_of(bytes + 1), c + 1);
    previous = bytes;
  }
  for (int i = 0; i < 10000; ++i) {
    const size_t bytes = random() >> (18 + random() % 46);
    const size_t held = Allocator::class_bytes(Allocator::class_of(bytes));
    ASSERT_GE(held, bytes);
    ASSERT_LE(held, bytes + bytes / 8 + Allocator::kAlignment);
  }
}

TEST(allocator, blocks_are_aligned_and_writable_to_the_end) {
  Fixture f;
  for (const size_t bytes :
       {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{65}, size_t{1000}, size_t{1} << 20, (size_t{5} << 20) + 3}) {
    Block* block = f.allocator.take(bytes);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block->data) % Allocator::kAlignment, 0u);
    ASSERT_GE(block->bytes, bytes);
    std::memset(block->data, 1, block->bytes);
    f.allocator.put(block);
  }
}

TEST(allocator, commands_get_a_freed_block_before_the_stream_is_done_with_it) {
  Fixture f;
  void* const data = f.cached(1000, 5);
  Block* block = f.allocator.take(1000);
  EXPECT_EQ(block->data, data);
  EXPECT_EQ(block->last_use, 5u) << "the host must still be kept from it";
  f.allocator.put(block);
}

TEST(allocator, the_host_gets_a_freed_block_only_when_the_stream_is_done_with_it) {
  Fixture f;
  void* const data = f.cached(1000, 5);
  f.completed = 4;
  Block* other = f.allocator.take_idle(1000);
  EXPECT_NE(other->data, data);
  f.completed = 5;
  Block* same = f.allocator.take_idle(1000);
  EXPECT_EQ(same->data, data);
  f.allocator.put(other);
  f.allocator.put(same);
}

TEST(allocator, tells_the_host_to_wait_rather_than_pile_up_blocks) {
  for (const bool exact : {false, true}) {
    std::atomic<uint64_t> completed{0};
    Allocator allocator(completed, exact);
    const size_t bytes = Allocator::kSlack / 8;
    int taken = 0;
    while (Block* block = allocator.take_idle(bytes)) {
      block->last_use = static_cast<uint64_t>(++taken);
      allocator.put(block);
      ASSERT_LT(taken, 20);
    }
    EXPECT_GE(taken, 8);
    completed = 1;
    Block* block = allocator.take_idle(bytes);
    ASSERT_NE(block, nullptr) << (exact ? "exact" : "cached");
    allocator.put(block);
  }
}

TEST(allocator, trim_returns_only_what_the_stream_is_done_with) {
  Fixture f;
  Block* held = f.allocator.take(3000);
  void* const early = f.cached(1000, 5);
  void* const late = f.cached(2000, 6);
  const size_t all = f.allocator.reserved();
  f.completed = 5;
  f.allocator.trim();
  EXPECT_EQ(f.allocator.reserved(), all - 1024);
  Block* block = f.allocator.take(2000);
  EXPECT_EQ(block->data, late);
  (void)early;
  std::memset(held->data, 1, held->bytes);
  f.allocator.put(held);
  f.allocator.put(block);
  f.completed = 6;
  f.allocator.trim();
  EXPECT_EQ(f.allocator.reserved(), 0u);
}

TEST(allocator, trim_unused_returns_what_no_command_was_given_since_the_last_time) {
  Fixture f;
  (void)f.cached(1000, 5);
  (void)f.cached(2000, 6);
  const size_t all = f.allocator.reserved();
  f.completed = 5;
  f.allocator.trim_unused();
  EXPECT_EQ(f.allocator.reserved(), all);
  f.completed = 6;
  f.allocator.trim_unused();
  EXPECT_EQ(f.allocator.reserved(), all - 1024);
  f.allocator.trim_unused();
  EXPECT_EQ(f.allocator.reserved(), 0u);
}

TEST(allocator, reserves_no_more_than_a_quarter_and_some_beyond_the_peak) {
  Fixture f;
  std::mt19937 random(2);
  uint64_t number = 0;
  size_t most = 0;
  for (int step = 0; step < 400; ++step) {  // never two the same, 8 to 40 MiB, one at a time
    Block* block = f.allocator.take((size_t{8} << 20) + random() % (size_t{32} << 20));
    most = std::max(most, block->bytes);
    block->last_use = ++number;
    f.allocator.put(block);
    f.completed = number;
    ASSERT_LE(f.allocator.reserved(), most / 4 * 5 + Allocator::kSlack);
  }
}

TEST(allocator, exact_blocks_are_given_back_as_soon_as_the_stream_is_done_with_them) {
  std::atomic<uint64_t> completed{0};
  Allocator allocator(completed, true);
  Block* first = allocator.take(1001);
  EXPECT_EQ(first->bytes, 1001u);
  first->last_use = 1;
  allocator.put(first);
  Block* second = allocator.take(1001);
  EXPECT_EQ(allocator.reserved(), 2002u) << "command 1 has not run";
  completed = 1;
  Block* third = allocator.take(10);
  EXPECT_EQ(allocator.reserved(), 1011u);
  allocator.put(second);
  allocator.put(third);
}

TEST(allocator, no_memory_is_null_and_harmless) {
  Fixture f;
  f.cached(1000, 0);
  EXPECT_EQ(f.allocator.take(kHuge), nullptr);
  EXPECT_EQ(f.allocator.take_idle(kHuge), nullptr);
  Block* block = f.allocator.take(1000);
  ASSERT_NE(block, nullptr);
  f.allocator.put(block);
}

TEST(allocator, may_be_trimmed_by_another_thread_while_in_use) {
  Fixture f;
  std::atomic<bool> stop{false};
  std::thread trimmer([&] {
    while (!stop.load()) f.allocator.trim();
  });
  std::mt19937 random(3);
  std::vector<Block*> held;
  uint64_t number = 0;
  for (int i = 0; i < 20000; ++i) {
    if (held.size() < 20 && random() % 2 == 0) {
      Block* block = random() % 4 == 0 ? f.allocator.take_idle(random() % 5000) : f.allocator.take(random() % 5000);
      std::memset(block->data, i & 0xff, block->bytes);
      block->last_use = ++number;
      held.push_back(block);
    } else if (!held.empty()) {
      std::swap(held.back(), held[random() % held.size()]);
      f.allocator.put(held.back());
      held.pop_back();
    }
    if (i % 16 == 0) f.completed = number;
  }
  stop = true;
  trimmer.join();
  for (Block* block : held) f.allocator.put(block);
}

namespace {

Tensor shape_of(Dtype dtype, std::initializer_list<int64_t> dims) {
  Tensor shape;
  shape.dtype = dtype;
  for (const int64_t dim : dims) shape.dims[shape.rank++] = dim;
  return shape;
}

struct TableFixture : Fixture {
  TensorTable table{allocator};
  double add(const Tensor& shape) { return table.add(shape, allocator.take(static_cast<size_t>(checked_bytes(shape)))); }
};

}  // namespace

TEST(tensor_table, sizes_are_checked_for_overflow) {
  EXPECT_EQ(checked_bytes(shape_of(Dtype::float32, {})), 4);
  EXPECT_EQ(checked_bytes(shape_of(Dtype::float64, {2, 3})), 48);
  EXPECT_EQ(checked_bytes(shape_of(Dtype::uint8, {5, 0})), 0);
  EXPECT_EQ(checked_bytes(shape_of(Dtype::uint8, {1 << 23, 1 << 23})), int64_t{1} << 46);
  EXPECT_EQ(checked_bytes(shape_of(Dtype::uint8, {1 << 23, 1 << 23, 2})), -1);
  EXPECT_EQ(checked_bytes(shape_of(Dtype::float32, {INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MAX})), -1);
  EXPECT_EQ(checked_bytes(shape_of(Dtype::float32, {0, INT32_MAX, INT32_MAX, INT32_MAX})), -1) << "size() would overflow on the way to 0";
  EXPECT_EQ(checked_bytes(shape_of(Dtype::float32, {-1})), -1);
  EXPECT_EQ(checked_bytes(shape_of(Dtype::float32, {int64_t{INT32_MAX} + 1})), -1);
}

TEST(tensor_table, an_id_dies_with_its_tensor) {
  TableFixture f;
  const double first = f.add(shape_of(Dtype::float32, {4}));
  ASSERT_NE(f.table.find(first), nullptr);
  EXPECT_TRUE(f.table.free(first));
  EXPECT_EQ(f.table.find(first), nullptr);
  EXPECT_FALSE(f.table.free(first));
  const double second = f.add(shape_of(Dtype::float32, {4}));  // the same slot
  EXPECT_NE(second, first);
  EXPECT_EQ(f.table.find(first), nullptr);
  EXPECT_NE(f.table.find(second), nullptr);
}

TEST(tensor_table, only_ids_it_gave_out_are_tensors) {
  TableFixture f;
  const double id = f.add(shape_of(Dtype::float32, {4}));
  for (const double wrong :
       {0.0, -0.0, 1.0, -1.0, -id, id + 1, id + 0.5, id * 2, 0x1p53, 0x1p60, 1e300, HUGE_VAL, -HUGE_VAL, std::nan("")}) {
    EXPECT_EQ(f.table.find(wrong), nullptr) << wrong;
    EXPECT_FALSE(f.table.free(wrong)) << wrong;
  }
}

TEST(tensor_table, views_share_a_storage_that_lives_as_long_as_one_of_them) {
  TableFixture f;
  const double base = f.add(shape_of(Dtype::float32, {2, 6}));
  const double view = f.table.add_view(shape_of(Dtype::float32, {3, 4}), *f.table.find(base));
  EXPECT_EQ(f.table.tensors(), 2);
  EXPECT_EQ(f.table.bytes(), 48);
  void* const data = f.table.find(base)->tensor.data;
  EXPECT_EQ(f.table.find(view)->tensor.data, data);
  f.table.free(base);
  EXPECT_EQ(f.table.bytes(), 48);
  EXPECT_EQ(f.table.find(view)->tensor.data, data);
  f.table.free(view);
  EXPECT_EQ(f.table.tensors(), 0);
  EXPECT_EQ(f.table.bytes(), 0);
  EXPECT_EQ(f.table.peak_bytes(), 48);
}

TEST(tensor_table, pieces_lie_where_they_were_cut) {
  TableFixture f;
  const double base = f.add(shape_of(Dtype::float32, {100}));
  const double piece = f.table.add_piece(shape_of(Dtype::float32, {10}), *f.table.find(base), 64);
  const double inner = f.table.add_piece(shape_of(Dtype::float32, {2}), *f.table.find(piece), 16);
  auto* const data = static_cast<unsigned char*>(f.table.find(base)->tensor.data);
  EXPECT_EQ(f.table.find(piece)->tensor.data, data + 64);
  EXPECT_EQ(f.table.find(inner)->tensor.data, data + 80);
  EXPECT_FALSE(f.table.find(base)->piece);
  EXPECT_TRUE(f.table.find(inner)->piece);
  EXPECT_EQ(f.table.bytes(), 400) << "a piece has no memory of its own";
  f.table.free(base);
  f.table.free(piece);
  EXPECT_EQ(f.table.bytes(), 400);
  EXPECT_EQ(f.table.find(inner)->tensor.data, data + 80);
}

TEST(tensor_table, a_storage_that_a_plan_holds_outlives_its_tensors) {
  TableFixture f;
  const double id = f.add(shape_of(Dtype::float32, {100}));
  Storage* const storage = f.table.find(id)->storage;
  TensorTable::hold(storage);
  TensorTable::hold(storage);  // by another plan
  f.table.free(id);
  EXPECT_EQ(f.table.tensors(), 0);
  EXPECT_EQ(f.table.bytes(), 400);
  f.table.let_go(storage);
  EXPECT_EQ(storage->plans, 1);
  EXPECT_EQ(f.table.bytes(), 400);
  f.table.let_go(storage);
  EXPECT_EQ(f.table.bytes(), 0);
}

TEST(tensor_table, counts_agree_after_a_random_history) {
  TableFixture f;
  std::mt19937 random(4);
  std::vector<double> live;
  for (int i = 0; i < 20000; ++i) {
    if (live.empty() || random() % 2 == 0) {
      live.push_back(random() % 4 == 0 && !live.empty() ? f.table.add_view(shape_of(Dtype::uint8, {8}), *f.table.find(live.back()))
                                                        : f.add(shape_of(Dtype::uint8, {8})));
    } else {
      std::swap(live.back(), live[random() % live.size()]);
      ASSERT_TRUE(f.table.free(live.back()));
      live.pop_back();
    }
    ASSERT_EQ(f.table.tensors(), static_cast<int64_t>(live.size()));
  }
  for (const double id : live) ASSERT_NE(f.table.find(id), nullptr);
  int64_t seen = 0;
  f.table.each([&](const TensorTable::Entry&, double id) { seen += f.table.find(id) != nullptr; });
  EXPECT_EQ(seen, f.table.tensors());
  f.table.clear();
  EXPECT_EQ(f.table.bytes(), 0);
}

}  // namespace receptive::test
