// The kernel table: one function pointer for each kernel, filled once for each instruction set, chosen once at load.
#pragma once

#include "../ops/conv2d.h"
#include "../ops/matmul.h"
#include "../ops/unary.h"

namespace receptive {

// KERNEL(name, Args): void name(const Args<float>&, Context&).
#define RECEPTIVE_KERNELS(KERNEL)                          \
  KERNEL(unary, UnaryArgs)                                 \
  KERNEL(unary_backward, UnaryBackwardArgs)                \
  KERNEL(conv2d, Conv2dArgs)                               \
  KERNEL(conv2d_backward_input, Conv2dBackwardInputArgs)   \
  KERNEL(conv2d_backward_weight, Conv2dBackwardWeightArgs) \
  KERNEL(matmul, MatmulArgs)

struct KernelTable {
  const char* isa;
#define RECEPTIVE_MEMBER(name, Args) void (*name)(const Args<float>&, Context&);
  RECEPTIVE_KERNELS(RECEPTIVE_MEMBER)
#undef RECEPTIVE_MEMBER
};

// The table in use: the best this machine runs, or the one RECEPTIVE_ISA names. Throws std::runtime_error if that one cannot run.
const KernelTable& kernels();

// Every table this machine can run, best first, for the tests. count gets how many.
const KernelTable* const* runnable_tables(int* count);

}  // namespace receptive
