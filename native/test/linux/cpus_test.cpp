#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <thread>

#include "../../runtime/cpu.h"

namespace receptive::test::cpus_test {

namespace {

struct Attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t slice, deadline, period;
};

// Of the calling thread.
Attributes attributes() {
  Attributes result = {};
  EXPECT_EQ(syscall(SYS_sched_getattr, 0, &result, sizeof result, 0), 0);
  return result;
}

}  // namespace

TEST(cpus, a_thread_that_is_lowered_keeps_its_nice_value_and_leaves_others_alone) {
  const Attributes before = attributes();
  if (before.policy != SCHED_OTHER) GTEST_SKIP() << "policy " << before.policy;
  Attributes once = {}, twice = {};
  std::thread([&] {
    lower_priority();
    once = attributes();
    lower_priority();
    twice = attributes();
  }).join();
  EXPECT_EQ(once.policy, static_cast<uint32_t>(SCHED_BATCH));
  EXPECT_EQ(once.nice, before.nice);
  if (before.slice != 0) {
    EXPECT_EQ(once.slice, 20'000'000u);  // a Linux that has slices
  }
  EXPECT_EQ(twice.policy, once.policy);
  EXPECT_EQ(twice.slice, once.slice);
  EXPECT_EQ(attributes().policy, before.policy);
  EXPECT_EQ(attributes().slice, before.slice);
}

TEST(cpus, a_thread_of_another_policy_keeps_it) {
  uint32_t policy = SCHED_OTHER;
  std::thread([&] {
    const sched_param none = {};
    ASSERT_EQ(pthread_setschedparam(pthread_self(), SCHED_IDLE, &none), 0);
    lower_priority();
    policy = attributes().policy;
  }).join();
  EXPECT_EQ(policy, static_cast<uint32_t>(SCHED_IDLE));
}

}  // namespace receptive::test::cpus_test
