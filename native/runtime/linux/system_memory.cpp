#include "../system_memory.h"

#include <malloc.h>
#include <sys/mman.h>

#include <cstdint>
#include <new>

#include "../sanitizers.h"

namespace receptive {

namespace {

// Large blocks are mapped, not left to the C library, which would keep them when they are released: they are gone from the process at
// once, and backed by huge pages, which kernels feel. AddressSanitizer looks at what the C++ library hands out only.
constexpr size_t kMapFrom = RECEPTIVE_ASAN ? SIZE_MAX : size_t{1} << 20;
constexpr size_t kLargestPage = size_t{1} << 16;
constexpr size_t kHugePage = size_t{2} << 20;

size_t whole_pages(size_t bytes) { return (bytes + kLargestPage - 1) / kLargestPage * kLargestPage; }

void* map(size_t bytes) noexcept {
  bytes = whole_pages(bytes);
  const size_t slack = bytes >= 2 * kHugePage ? kHugePage : 0;
  void* const mapped = mmap(nullptr, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return nullptr;
  if (slack == 0) return mapped;
  auto* const start = static_cast<unsigned char*>(mapped);
  const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(start) % kHugePage) % kHugePage;
  if (before > 0) munmap(start, before);
  if (slack > before) munmap(start + before + bytes, slack - before);
  madvise(start + before, bytes, MADV_HUGEPAGE);
  return start + before;
}

}  // namespace

void* system_allocate(size_t bytes) noexcept {
  return bytes >= kMapFrom ? map(bytes) : ::operator new (bytes, std::align_val_t{kMemoryAlignment}, std::nothrow);
}

void system_release(void* data, size_t bytes) noexcept {
  if (bytes >= kMapFrom) {
    munmap(data, whole_pages(bytes));
  } else {
    ::operator delete (data, std::align_val_t{kMemoryAlignment});
  }
}

void system_trim() noexcept {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

}  // namespace receptive
