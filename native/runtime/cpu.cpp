#include "cpu.h"

#include <cstring>

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#if defined(_MSC_VER)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

namespace receptive {

#if defined(__x86_64__) || defined(_M_X64)

namespace {

struct Registers {
  unsigned a, b, c, d;
};

Registers cpuid(unsigned leaf, unsigned subleaf) {
  Registers r{};
#if defined(_MSC_VER)
  int out[4];
  __cpuidex(out, static_cast<int>(leaf), static_cast<int>(subleaf));
  r = {static_cast<unsigned>(out[0]), static_cast<unsigned>(out[1]), static_cast<unsigned>(out[2]), static_cast<unsigned>(out[3])};
#else
  __cpuid_count(leaf, subleaf, r.a, r.b, r.c, r.d);
#endif
  return r;
}

// Which register files the operating system saves (XCR0).
unsigned long long saved_state() {
#if defined(_MSC_VER)
  return _xgetbv(0);
#else
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (static_cast<unsigned long long>(high) << 32) | low;
#endif
}

bool bit(unsigned word, int n) { return (word >> n) & 1u; }

}  // namespace

bool cpu_runs(const char* isa) {
  if (std::strcmp(isa, "sse2") == 0) return true;
  if (cpuid(0, 0).a < 7) return false;
  const Registers one = cpuid(1, 0), seven = cpuid(7, 0);
  const bool osxsave = bit(one.c, 27), avx = bit(one.c, 28), fma = bit(one.c, 12);
  if (!osxsave || !avx) return false;
  const unsigned long long state = saved_state();
  const bool avx2 = (state & 0x6) == 0x6 && fma && bit(seven.b, 5);
  if (std::strcmp(isa, "avx2") == 0) return avx2;
  if (std::strcmp(isa, "avx512") == 0) {
    return avx2 && (state & 0xe6) == 0xe6 && bit(seven.b, 16) && bit(seven.b, 17) && bit(seven.b, 30) && bit(seven.b, 31);
  }
  return false;
}

void flush_denormals() { _mm_setcsr(_mm_getcsr() | 0x8040); }  // FTZ and DAZ

#else

bool cpu_runs(const char* isa) { return std::strcmp(isa, "neon") == 0; }

void flush_denormals() {
#if defined(__GNUC__)
  unsigned long long fpcr;
  __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
  __asm__ volatile("msr fpcr, %0" : : "r"(fpcr | (1ull << 24)));  // FZ
#endif
}

#endif

}  // namespace receptive
