// What the processor and the operating system allow this process.
#pragma once

namespace receptive {

// True if this machine runs the instruction set of that name (avx512, avx2, sse2, neon), operating system included.
bool cpu_runs(const char* isa);

// CPUs this process may use: its affinity mask, limited by the cgroup's CPU quota (rounded up). At least 1.
int usable_cpus();

// The CPU the calling thread runs on, -1 where the system does not say.
int current_cpu();

// Moves the calling thread to another CPU that it may use, if there is one; it is not bound to it.
void leave_cpu(int cpu);

// Flushes denormals to zero on the calling thread (a denormal operand costs a hundred cycles and more). Kernel threads only.
void flush_denormals();

// Lets threads that wake go before the calling one, where the system has a way.
void lower_priority();

}  // namespace receptive
