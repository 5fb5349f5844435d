// macOS neither says where a thread runs nor binds it. Its lower classes of service are not only for what can wait: they also move threads
// to the slow cores.
#include <algorithm>
#include <thread>

#include "../cpu.h"

namespace receptive {

int current_cpu() { return -1; }

void leave_cpu(int) {}

void lower_priority() {}

int usable_cpus() { return std::max(static_cast<int>(std::thread::hardware_concurrency()), 1); }

}  // namespace receptive
