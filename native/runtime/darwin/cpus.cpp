// macOS neither says where a thread runs nor binds it.
#include <algorithm>
#include <thread>

#include "../cpu.h"

namespace receptive {

int current_cpu() { return -1; }

void leave_cpu(int) {}

int usable_cpus() { return std::max(static_cast<int>(std::thread::hardware_concurrency()), 1); }

}  // namespace receptive
