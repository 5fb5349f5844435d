// What the tests of the optimisers start from.
#pragma once

#include "op_case.h"

namespace receptive::test {

const int64_t optimizer_sizes[] = {0, 1, 3, 15, 16, 17, 1000, 40001};

// Of one sign, so that no sum cancels and each result is right to the few roundings that made it.
inline Operand parameters(const Dims& d) { return updated(reals(d, 1, 1, 2)); }
inline Operand gradients(const Dims& d) { return reals(d, 2, 0.5f, 1); }
inline Operand state(const Dims& d, uint32_t seed) { return updated(reals(d, seed, 0.5f, 1)); }

}  // namespace receptive::test
