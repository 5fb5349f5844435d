// Waiting for another thread without going to sleep, for as long as a wake-up through the system would cost.
// For the runtime only: kernels' units may not include it (see context.h).
#pragma once

#include <chrono>
#include <thread>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace receptive {

inline void relax() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__GNUC__)
  __asm__ volatile("yield");
#endif
}

// Spins until done() or for about 30 microseconds; returns done().
template <class Done>
bool spin(const Done& done) {
  if (done()) return true;
  const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(30);
  do {
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
      relax();
    }
    // To a thread that has work, where it is on this CPU: where there are few, it is, and would wait for as long as this one spins.
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() < until);
  return done();
}

}  // namespace receptive
