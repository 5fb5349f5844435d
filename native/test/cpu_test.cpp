#include "../runtime/cpu.h"

#include <gtest/gtest.h>

namespace receptive::test::cpu_test {

TEST(cpu, runs_what_every_one_of_its_kind_does_and_nothing_unheard_of) {
#if defined(__x86_64__) || defined(_M_X64)
  EXPECT_TRUE(cpu_runs("sse2"));
  EXPECT_FALSE(cpu_runs("neon"));
#else
  EXPECT_TRUE(cpu_runs("neon"));
  EXPECT_FALSE(cpu_runs("sse2"));
#endif
  EXPECT_FALSE(cpu_runs("avx9"));
  EXPECT_FALSE(cpu_runs(""));
  EXPECT_GE(usable_cpus(), 1);
}

}  // namespace receptive::test::cpu_test
