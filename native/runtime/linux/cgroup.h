// CPU time that control groups grant this process.
#pragma once

#include <string>

namespace receptive {

// CPUs' worth of time, or 0 if there is no limit: the least that the process's own group or one above it grants, by version 2 (cpu.max) or
// version 1 (cpu.cfs_quota_us). files: where /sys/fs/cgroup and /proc/self/cgroup are looked for, "" but in tests.
double cgroup_cpus(const std::string& files = "");

}  // namespace receptive
