#include "../system_memory.h"

#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <malloc.h>
#include <windows.h>

#include "../sanitizers.h"

namespace receptive {

namespace {

// Large blocks come from the system itself, so that they are gone from the process when they are released. AddressSanitizer looks at what
// the C library hands out only.
constexpr size_t kReserveFrom = RECEPTIVE_ASAN ? SIZE_MAX : size_t{1} << 20;

}  // namespace

void* system_allocate(size_t bytes) noexcept {
  if (bytes >= kReserveFrom) return VirtualAlloc(nullptr, bytes, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  return _aligned_malloc(bytes, kMemoryAlignment);
}

void system_release(void* data, size_t bytes) noexcept {
  if (bytes >= kReserveFrom) {
    VirtualFree(data, 0, MEM_RELEASE);
  } else {
    _aligned_free(data);
  }
}

void system_trim() noexcept {}

}  // namespace receptive
