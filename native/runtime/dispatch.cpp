// Chooses the kernel table, once.
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "../kernels/table.h"
#include "cpu.h"

namespace receptive {

#define RECEPTIVE_EXTERN(isa)     \
  namespace isa {                 \
  extern const KernelTable table; \
  }
#if defined(RECEPTIVE_ONLY)
RECEPTIVE_EXTERN(RECEPTIVE_ONLY)
#elif defined(__x86_64__) || defined(_M_X64)
RECEPTIVE_EXTERN(avx512)
RECEPTIVE_EXTERN(avx2)
RECEPTIVE_EXTERN(sse2)
#elif defined(__aarch64__) || defined(_M_ARM64)
RECEPTIVE_EXTERN(neon)
#else
#error "receptive runs on x86-64 and arm64"
#endif

namespace {

const KernelTable* const compiled[] = {
#if defined(RECEPTIVE_ONLY)
    &RECEPTIVE_ONLY::table
#elif defined(__x86_64__) || defined(_M_X64)
    &avx512::table, &avx2::table, &sse2::table
#else
    &neon::table
#endif
};
constexpr int kCompiled = static_cast<int>(sizeof compiled / sizeof *compiled);

const KernelTable* choose() {
  const char* wanted = std::getenv("RECEPTIVE_ISA");
  std::string known;
  for (const KernelTable* table : compiled) {
    if (!cpu_runs(table->isa)) continue;
    if (wanted == nullptr || *wanted == '\0' || std::strcmp(wanted, table->isa) == 0) return table;
    known += (known.empty() ? "" : ", ") + std::string(table->isa);
  }
  throw std::runtime_error("RECEPTIVE_ISA is " + std::string(wanted ? wanted : "") + ", this machine runs " + known);
}

const KernelTable*& current() {
  static const KernelTable* table = choose();
  return table;
}

}  // namespace

const KernelTable& kernels() { return *current(); }

void use_kernels(const KernelTable& table) { current() = &table; }

const KernelTable* const* runnable_tables(int* count) {
  static const KernelTable* runnable[kCompiled];
  static const int found = [] {
    int n = 0;
    for (const KernelTable* table : compiled) {
      if (cpu_runs(table->isa)) runnable[n++] = table;
    }
    return n;
  }();
  *count = found;
  return runnable;
}

}  // namespace receptive
