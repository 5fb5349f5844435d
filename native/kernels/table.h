// The kernel table: one function pointer for each kernel, filled once for each instruction set, chosen once at load.
#pragma once

#include "../ops/adam.h"
#include "../ops/augment.h"
#include "../ops/avg_pool2d.h"
#include "../ops/batch_norm.h"
#include "../ops/binary.h"
#include "../ops/conv2d.h"
#include "../ops/cross_entropy.h"
#include "../ops/dropout.h"
#include "../ops/group_norm.h"
#include "../ops/locally_connected2d.h"
#include "../ops/matmul.h"
#include "../ops/max_pool2d.h"
#include "../ops/max_unpool2d.h"
#include "../ops/peak.h"
#include "../ops/prelu.h"
#include "../ops/reduce.h"
#include "../ops/rmsprop.h"
#include "../ops/sgd.h"
#include "../ops/softmax.h"
#include "../ops/unary.h"
#include "../ops/upsample.h"

namespace receptive {

// KERNEL(name, Args): void name(const Args<float>&, Context&).
#define RECEPTIVE_KERNELS(KERNEL)                                                   \
  KERNEL(unary, UnaryArgs)                                                          \
  KERNEL(unary_backward, UnaryBackwardArgs)                                         \
  KERNEL(conv2d, Conv2dArgs)                                                        \
  KERNEL(conv2d_backward_input, Conv2dBackwardInputArgs)                            \
  KERNEL(conv2d_backward_weight, Conv2dBackwardWeightArgs)                          \
  KERNEL(locally_connected2d, LocallyConnected2dArgs)                               \
  KERNEL(locally_connected2d_backward_input, LocallyConnected2dBackwardInputArgs)   \
  KERNEL(locally_connected2d_backward_weight, LocallyConnected2dBackwardWeightArgs) \
  KERNEL(matmul, MatmulArgs)                                                        \
  KERNEL(peak, PeakArgs)                                                            \
  KERNEL(binary, BinaryArgs)                                                        \
  KERNEL(reduce, ReduceArgs)                                                        \
  KERNEL(softmax, SoftmaxArgs)                                                      \
  KERNEL(softmax_backward, SoftmaxBackwardArgs)                                     \
  KERNEL(cross_entropy, CrossEntropyArgs)                                           \
  KERNEL(cross_entropy_backward, CrossEntropyBackwardArgs)                          \
  KERNEL(max_pool2d, MaxPool2dArgs)                                                 \
  KERNEL(max_pool2d_backward, MaxPool2dBackwardArgs)                                \
  KERNEL(max_unpool2d_backward, MaxUnpool2dBackwardArgs)                            \
  KERNEL(avg_pool2d, AvgPool2dArgs)                                                 \
  KERNEL(avg_pool2d_backward, AvgPool2dBackwardArgs)                                \
  KERNEL(resample, ResampleArgs)                                                    \
  KERNEL(sgd, SgdArgs)                                                              \
  KERNEL(adam, AdamArgs)                                                            \
  KERNEL(rmsprop, RmspropArgs)                                                      \
  KERNEL(batch_norm_train, BatchNormTrainArgs)                                      \
  KERNEL(batch_norm_infer, BatchNormInferArgs)                                      \
  KERNEL(batch_norm_backward, BatchNormBackwardArgs)                                \
  KERNEL(group_norm, GroupNormArgs)                                                 \
  KERNEL(group_norm_backward, GroupNormBackwardArgs)                                \
  KERNEL(prelu, PreluArgs)                                                          \
  KERNEL(prelu_backward, PreluBackwardArgs)                                         \
  KERNEL(dropout, DropoutArgs)                                                      \
  KERNEL(augment, AugmentArgs)

struct KernelTable {
  const char* isa;
#define RECEPTIVE_MEMBER(name, Args) void (*name)(const Args<float>&, Context&);
  RECEPTIVE_KERNELS(RECEPTIVE_MEMBER)
#undef RECEPTIVE_MEMBER
};

// The table in use: the best this machine runs, or the one RECEPTIVE_ISA names. Throws std::runtime_error if that one cannot run.
const KernelTable& kernels();

// For the tests, which run every table: ops recorded from now on use this one.
void use_kernels(const KernelTable& table);

// Every table this machine can run, best first, for the tests. count gets how many.
const KernelTable* const* runnable_tables(int* count);

}  // namespace receptive
