#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <thread>

#include "../cpu.h"
#include "cgroup.h"

namespace receptive {

int current_cpu() { return sched_getcpu(); }

void leave_cpu(int cpu) {
  cpu_set_t allowed, others;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || cpu < 0 || cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &allowed)) return;
  others = allowed;
  CPU_CLR(cpu, &others);
  if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return;
  sched_setaffinity(0, sizeof allowed, &allowed);
}

void lower_priority() {
  // struct sched_attr, which C libraries before 2025 do not declare.
  struct Attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t slice, deadline, period;  // nanoseconds
  } attributes = {};
  if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0 || attributes.policy != SCHED_OTHER) return;
  // A thread of this policy preempts none when it wakes. Nor is it safe, from Linux 6.12 on, from one that wakes and asks for less time at
  // once than it does: the usual is some milliseconds. Its nice value, and thus its share of a CPU, stays what it was.
  attributes.policy = SCHED_BATCH;
  attributes.slice = 20'000'000;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

int usable_cpus() {
  cpu_set_t mask;
  int cpus = static_cast<int>(std::thread::hardware_concurrency());
  if (sched_getaffinity(0, sizeof mask, &mask) == 0) cpus = CPU_COUNT(&mask);
  const double quota = cgroup_cpus();
  if (quota > 0 && quota < cpus) cpus = static_cast<int>(std::ceil(quota));
  return std::max(cpus, 1);
}

}  // namespace receptive
