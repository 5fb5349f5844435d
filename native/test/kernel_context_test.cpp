#include "../runtime/kernel_context.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>

#include "../runtime/sanitizers.h"
#include "../runtime/system_memory.h"

#if defined(__linux__)
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace receptive::test::kernel_context_test {

TEST(scratch, is_aligned_apart_and_writable_to_the_end) {
  KernelContext context;
  for (int command = 0; command < 3; ++command) {
    context.begin();
    unsigned char* parts[40];
    for (size_t i = 0; i < 40; ++i) {
      parts[i] = static_cast<unsigned char*>(context.scratch(i * 1000 + 1));
      ASSERT_EQ(reinterpret_cast<uintptr_t>(parts[i]) % kMemoryAlignment, 0u);
      std::memset(parts[i], static_cast<int>(i), i * 1000 + 1);
    }
    for (size_t i = 0; i < 40; ++i) {
      ASSERT_EQ(parts[i][0], i);
      ASSERT_EQ(parts[i][i * 1000], i);
    }
  }
}

TEST(scratch, sizes_that_would_wrap_are_refused) {
  KernelContext context;
  context.begin();
  context.scratch(100);
  for (const size_t bytes : {SIZE_MAX, SIZE_MAX - 62, SIZE_MAX - 63, SIZE_MAX - 127, SIZE_MAX / 2}) {
    EXPECT_THROW(context.scratch(bytes), std::bad_alloc) << bytes;
  }
  std::memset(context.scratch(100), 1, 100);
}

#if !RECEPTIVE_ASAN
TEST(kept, what_cannot_be_had_leaves_what_was_kept) {
  KernelContext context;
  Kept kept;
  bool made = true;
  context.begin(&kept);
  void* const first = context.keep(1000, &made);
  EXPECT_FALSE(made);
  EXPECT_THROW(context.keep(SIZE_MAX / 8, &made), std::bad_alloc);
  context.begin(&kept);
  EXPECT_EQ(context.keep(1000, &made), first);
  EXPECT_TRUE(made);
  EXPECT_EQ(kept.bytes(), 1000u);
}

TEST(kept, another_size_is_made_beside_the_first) {
  KernelContext context;
  Kept kept;
  bool made = true;
  void* first[2];
  context.begin(&kept);
  for (void*& data : first) data = context.keep(1000, &made);
  EXPECT_NE(first[0], first[1]);
  context.begin(&kept);
  EXPECT_EQ(context.keep(1000, &made), first[0]);
  std::memset(context.keep(500, &made), 1, 500);
  EXPECT_FALSE(made);
  context.begin(&kept);
  for (void* data : first) EXPECT_EQ(context.keep(1000, &made), data);
  EXPECT_TRUE(made);
  EXPECT_EQ(kept.bytes(), 2500u);
}

TEST(scratch, is_one_block_of_the_bytes_used_once_its_needs_are_known) {
  KernelContext context;
  context.begin();
  for (int i = 0; i < 3; ++i) context.scratch(size_t{5} << 20);
  context.begin();
  EXPECT_EQ(context.reserved(), size_t{15} << 20);
  context.scratch(size_t{15} << 20);
  context.begin();
  EXPECT_EQ(context.reserved(), size_t{15} << 20);
  context.trim();
  EXPECT_EQ(context.reserved(), 0u);
}

#if defined(__linux__) && !RECEPTIVE_TSAN
TEST(scratch, is_had_where_room_to_grow_is_not) {
  KernelContext context;
  context.begin();
  context.scratch(size_t{512} << 20);
  // 600 MiB more may be mapped, not the gigabyte that doubling asks for.
  rlimit before{};
  getrlimit(RLIMIT_AS, &before);
  rlimit tight = before;
  unsigned long pages = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "re");
  ASSERT_EQ(std::fscanf(file, "%lu", &pages), 1);
  std::fclose(file);
  tight.rlim_cur = static_cast<rlim_t>(pages) * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + (size_t{600} << 20);
  setrlimit(RLIMIT_AS, &tight);
  void* const beyond = system_allocate(size_t{700} << 20);
  if (beyond) {
    system_release(beyond, size_t{700} << 20);
    setrlimit(RLIMIT_AS, &before);
    GTEST_SKIP() << "what runs this does not hold it to RLIMIT_AS, as QEMU does not";
  }
  void* more = nullptr;
  EXPECT_NO_THROW(more = context.scratch(size_t{256} << 20));
  EXPECT_THROW(context.scratch(size_t{700} << 20), std::bad_alloc);
  setrlimit(RLIMIT_AS, &before);
  EXPECT_NE(more, nullptr);
}
#endif
#endif

}  // namespace receptive::test::kernel_context_test
