#include "../system_memory.h"

#include <malloc/malloc.h>
#include <sys/mman.h>

#include <cstdint>
#include <new>

#include "../sanitizers.h"

namespace receptive {

namespace {

// Large blocks are mapped, so that they are gone from the process when they are released. AddressSanitizer looks at what the C++ library
// hands out only.
constexpr size_t kMapFrom = RECEPTIVE_ASAN ? SIZE_MAX : size_t{1} << 20;

}  // namespace

void* system_allocate(size_t bytes) noexcept {
  if (bytes < kMapFrom) return ::operator new (bytes, std::align_val_t{kMemoryAlignment}, std::nothrow);
  void* const mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  return mapped == MAP_FAILED ? nullptr : mapped;
}

void system_release(void* data, size_t bytes) noexcept {
  if (bytes >= kMapFrom) {
    munmap(data, bytes);
  } else {
    ::operator delete (data, std::align_val_t{kMemoryAlignment});
  }
}

void system_trim() noexcept { malloc_zone_pressure_relief(nullptr, 0); }

}  // namespace receptive
