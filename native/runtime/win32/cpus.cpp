#include "../cpu.h"

#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#include <algorithm>
#include <cmath>
#include <thread>

namespace receptive {

namespace {

// CPUs' worth of time that the process's job (a container) grants, or 0 if there is no limit.
double job_cpus(int cpus) {
  JOBOBJECT_CPU_RATE_CONTROL_INFORMATION rate = {};
  if (!QueryInformationJobObject(nullptr, JobObjectCpuRateControlInformation, &rate, sizeof rate, nullptr)) return 0;
  constexpr DWORD kCapped = JOB_OBJECT_CPU_RATE_CONTROL_ENABLE | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP;
  return (rate.ControlFlags & kCapped) == kCapped ? cpus * (rate.CpuRate / 10000.0) : 0;  // in hundredths of a percent of all CPUs
}

// The CPUs of its processor group that the process may use, as bits, or 0.
DWORD_PTR allowed_cpus() {
  DWORD_PTR process = 0, system = 0;
  return GetProcessAffinityMask(GetCurrentProcess(), &process, &system) ? process : 0;
}

int count(DWORD_PTR bits) {
  int n = 0;
  for (; bits != 0; bits &= bits - 1) ++n;
  return n;
}

}  // namespace

int current_cpu() { return static_cast<int>(GetCurrentProcessorNumber()); }

void leave_cpu(int cpu) {
  const DWORD_PTR allowed = allowed_cpus();
  if (cpu < 0 || cpu >= static_cast<int>(8 * sizeof allowed)) return;
  const DWORD_PTR others = allowed & ~(DWORD_PTR{1} << cpu);
  if (others == 0 || others == allowed) return;
  if (const DWORD_PTR before = SetThreadAffinityMask(GetCurrentThread(), others)) SetThreadAffinityMask(GetCurrentThread(), before);
}

void lower_priority() { SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_BELOW_NORMAL); }

int usable_cpus() {
  const int all = static_cast<int>(std::thread::hardware_concurrency());
  const int allowed = count(allowed_cpus());
  const int cpus = allowed > 0 ? std::min(allowed, std::max(all, 1)) : all;
  const double quota = job_cpus(all);
  return std::max(quota > 0 && quota < cpus ? static_cast<int>(std::ceil(quota)) : cpus, 1);
}

}  // namespace receptive
