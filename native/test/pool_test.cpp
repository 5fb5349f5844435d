#include "../runtime/pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <thread>
#include <vector>

namespace receptive::test::pool_test {

namespace {

// The pool's job in terms of a lambda.
template <class Body>
void run(int64_t chunks, int slots, const Body& body) {
  Pool::shared().run(
      chunks, slots, [](const void* self, int64_t chunk, int slot) { (*static_cast<const Body*>(self))(chunk, slot); }, &body);
}

class pool : public testing::Test {
 protected:
  void SetUp() override { Pool::shared().acquire(); }
  void TearDown() override { Pool::shared().release(); }
};

}  // namespace

TEST_F(pool, runs_every_chunk_once) {
  for (const int slots : {1, 2, 3, 8}) {
    for (const int64_t chunks : {1, 2, 3, 7, 64, 1000}) {
      std::vector<std::atomic<int>> times(static_cast<size_t>(chunks));
      run(chunks, slots, [&](int64_t chunk, int) { times[static_cast<size_t>(chunk)].fetch_add(1); });
      for (const auto& t : times) ASSERT_EQ(t.load(), 1) << chunks << " chunks on " << slots << " slots";
    }
  }
}

TEST_F(pool, no_chunks_is_no_call) {
  run(0, 4, [&](int64_t, int) { FAIL(); });
}

TEST_F(pool, a_slot_is_held_by_one_thread_at_a_time) {
  constexpr int kSlots = 4;
  std::atomic<int> holders[kSlots] = {};
  std::atomic<int> clashes{0};
  for (int job = 0; job < 300; ++job) {
    run(64, kSlots, [&](int64_t, int slot) {
      if (slot < 0 || slot >= kSlots || holders[slot].fetch_add(1) != 0) clashes.fetch_add(1);
      std::this_thread::yield();
      holders[slot].fetch_sub(1);
    });
  }
  EXPECT_EQ(clashes.load(), 0);
}

TEST_F(pool, the_share_of_a_thread_that_is_held_up_is_taken_by_others) {
  for (const int held : {0, 3}) {  // the first chunk of a share, whoever has it
    std::atomic<int> left{7};
    run(8, 2, [&](int64_t chunk, int) {
      if (chunk == held) {
        while (left.load() > 0) std::this_thread::yield();
      } else {
        left.fetch_sub(1);
      }
    });
    EXPECT_EQ(left.load(), 0);
  }
}

TEST_F(pool, a_job_of_fewer_slots_than_workers_keeps_them_apart) {
  run(64, 8, [](int64_t, int) { std::this_thread::yield(); });  // seven workers
  for (int job = 0; job < 200; ++job) {
    std::atomic<int> holders[2] = {};
    std::atomic<int> wrong{0}, ran{0};
    run(16, 2, [&](int64_t, int slot) {
      if (slot < 0 || slot > 1 || holders[slot].fetch_add(1) != 0) wrong.fetch_add(1);
      ran.fetch_add(1);
      if (slot == 0 || slot == 1) holders[slot].fetch_sub(1);
    });
    EXPECT_EQ(wrong.load(), 0);
    EXPECT_EQ(ran.load(), 16);
  }
}

TEST_F(pool, jobs_of_several_threads_do_not_mix) {
  std::vector<std::thread> streams;
  std::atomic<int> wrong{0};
  for (int s = 0; s < 4; ++s) {
    streams.emplace_back([&wrong, s] {
      for (int job = 0; job < 400; ++job) {
        const int64_t chunks = 1 + (job * 7 + s) % 23;
        std::vector<double> result(static_cast<size_t>(chunks), 0.0);  // dies with the job: a late worker would write after free
        run(chunks, 3, [&](int64_t chunk, int) { result[static_cast<size_t>(chunk)] += std::sqrt(static_cast<double>(chunk + s)); });
        for (int64_t i = 0; i < chunks; ++i) {
          if (result[static_cast<size_t>(i)] != std::sqrt(static_cast<double>(i + s))) wrong.fetch_add(1);
        }
      }
    });
  }
  for (std::thread& stream : streams) stream.join();
  EXPECT_EQ(wrong.load(), 0);
}

TEST_F(pool, wakes_workers_that_have_parked) {
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // well past the spin
    // Two chunks that wait for each other: they finish only if a second thread comes.
    std::atomic<int> here{0};
    run(2, 2, [&](int64_t, int) {
      here.fetch_add(1);
      while (here.load() < 2) std::this_thread::yield();
    });
  }
}

TEST_F(pool, the_number_of_threads_may_change_between_jobs) {
  const int before = Pool::shared().threads();
  std::thread setter([] {
    for (int i = 0; i < 500; ++i) Pool::shared().set_threads(1 + i % 8);
  });
  for (int job = 0; job < 500; ++job) {
    std::atomic<int64_t> sum{0};
    run(20, Pool::shared().threads(), [&](int64_t chunk, int) { sum.fetch_add(chunk); });
    ASSERT_EQ(sum.load(), 190);
  }
  setter.join();
  Pool::shared().set_threads(before);
  EXPECT_EQ(Pool::shared().threads(), before);
}

TEST_F(pool, the_last_release_joins_the_workers_and_they_start_again) {
  for (int round = 0; round < 20; ++round) {
    Pool::shared().acquire();
    std::atomic<int> ran{0};
    run(8, 4, [&](int64_t, int) { ran.fetch_add(1); });
    ASSERT_EQ(ran.load(), 8);
    Pool::shared().release();
    Pool::shared().release();  // SetUp's: now the last
    Pool::shared().acquire();
  }
}

TEST_F(pool, threads_are_clamped) {
  const int before = Pool::shared().threads();
  Pool::shared().set_threads(0);
  EXPECT_EQ(Pool::shared().threads(), 1);
  Pool::shared().set_threads(1 << 20);
  EXPECT_EQ(Pool::shared().threads(), Pool::kMaxThreads);
  Pool::shared().set_threads(before);
}

}  // namespace receptive::test::pool_test
