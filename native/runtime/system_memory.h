// Memory from the system, 64-byte aligned: what the allocator and the kernels' scratch are made of.
#pragma once

#include <cstddef>

namespace receptive {

constexpr size_t kMemoryAlignment = 64;

// Null when there is none. Not initialised.
void* system_allocate(size_t bytes) noexcept;
void system_release(void* data, size_t bytes) noexcept;

// Asks the C library to give back what it keeps of what was released.
void system_trim() noexcept;

}  // namespace receptive
