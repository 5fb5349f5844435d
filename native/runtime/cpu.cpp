#include "cpu.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#endif

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

namespace {

#if defined(__linux__)
// CPUs' worth of time the cgroup grants, or 0 if it grants all. Version 2 first, then version 1, at the usual mount point: inside a
// container the process's own cgroup is the root there.
double cgroup_cpus() {
  double quota = 0, period = 0;
  if (std::FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "re")) {
    const bool limited = std::fscanf(file, "%lf %lf", &quota, &period) == 2;
    std::fclose(file);
    return limited && period > 0 ? quota / period : 0;
  }
  const auto number = [](const char* path) {
    double value = -1;
    if (std::FILE* file = std::fopen(path, "re")) {
      if (std::fscanf(file, "%lf", &value) != 1) value = -1;
      std::fclose(file);
    }
    return value;
  };
  quota = number("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  period = number("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  return quota > 0 && period > 0 ? quota / period : 0;
}
#endif

}  // namespace

int current_cpu() {
#if defined(__linux__)
  return sched_getcpu();
#else
  return -1;
#endif
}

void leave_cpu(int cpu) {
#if defined(__linux__)
  cpu_set_t allowed, others;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || cpu < 0 || cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &allowed)) return;
  others = allowed;
  CPU_CLR(cpu, &others);
  if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return;
  sched_setaffinity(0, sizeof allowed, &allowed);
#else
  static_cast<void>(cpu);
#endif
}

int usable_cpus() {
  int cpus = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) cpus = CPU_COUNT(&mask);
  const double quota = cgroup_cpus();
  if (quota > 0) cpus = std::min(cpus, static_cast<int>(std::ceil(quota)));
#endif
  return std::max(cpus, 1);
}

}  // namespace receptive
