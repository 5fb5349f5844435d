// Fills this instruction set's kernel table.
#include "table.h"

#include "../simd/vec.h"

#define RECEPTIVE_QUOTE_(x) #x
#define RECEPTIVE_QUOTE(x) RECEPTIVE_QUOTE_(x)

namespace receptive::RECEPTIVE_ISA {

#define RECEPTIVE_DECLARE(name, Args) void name(const Args<float>&, Context&);
RECEPTIVE_KERNELS(RECEPTIVE_DECLARE)

#define RECEPTIVE_ENTRY(name, Args) , name
extern const KernelTable table;
const KernelTable table = {RECEPTIVE_QUOTE(RECEPTIVE_ISA) RECEPTIVE_KERNELS(RECEPTIVE_ENTRY)};

}  // namespace receptive::RECEPTIVE_ISA
