// The list of ops. One row each: name, tensors, attributes; the function is record_<name>, in the op's own file.
#include "op.h"

namespace receptive {

#define RECEPTIVE_OPS(OP)                       \
  OP(unary, 2, -1)                              \
  OP(unary_backward, 3, -1)                     \
  OP(conv2d, 5, 12)                             \
  OP(conv2d_chain, 9, -1)                       \
  OP(conv2d_backward_input, 4, 10)              \
  OP(conv2d_backward_weight, 4, 10)             \
  OP(locally_connected2d, 4, 8)                 \
  OP(locally_connected2d_backward_input, 3, 8)  \
  OP(locally_connected2d_backward_weight, 3, 8) \
  OP(matmul, 4, 4)                              \
  OP(binary, 3, 1)                              \
  OP(where, 4, 0)                               \
  OP(cast, 2, 2)                                \
  OP(copy, 2, -1)                               \
  OP(accumulate, 2, -1)                         \
  OP(fill, 1, 1)                                \
  OP(gather, 3, 0)                              \
  OP(embedding, 3, 0)                           \
  OP(scatter_add, 3, 1)                         \
  OP(random, 1, 7)                              \
  OP(reduce, 2, 2)                              \
  OP(argmax, 2, 1)                              \
  OP(topk, 2, 1)                                \
  OP(label_rank, 3, 0)                          \
  OP(confusion, 3, 0)                           \
  OP(softmax, 2, 1)                             \
  OP(softmax_backward, 3, 1)                    \
  OP(cross_entropy, 5, 3)                       \
  OP(cross_entropy_backward, 5, 3)              \
  OP(nll, 4, 2)                                 \
  OP(nll_backward, 4, 2)                        \
  OP(max_pool2d, 3, 12)                         \
  OP(max_pool2d_backward, 3, 10)                \
  OP(max_unpool2d_backward, 3, 10)              \
  OP(avg_pool2d, 2, 11)                         \
  OP(avg_pool2d_backward, 2, 11)                \
  OP(adaptive_max_pool2d, 3, 0)                 \
  OP(adaptive_max_pool2d_backward, 3, 0)        \
  OP(adaptive_avg_pool2d, 2, 0)                 \
  OP(adaptive_avg_pool2d_backward, 2, 0)        \
  OP(upsample, 2, 3)                            \
  OP(upsample_backward, 2, 3)                   \
  OP(sgd, 3, 6)                                 \
  OP(adam, 4, 7)                                \
  OP(rmsprop, 5, 5)                             \
  OP(squared_norm, 2, 0)                        \
  OP(clip_norm, 2, 1)                           \
  OP(find_nonfinite, 2, 1)                      \
  OP(batch_norm_train, 9, 4)                    \
  OP(batch_norm_infer, 8, 3)                    \
  OP(batch_norm_backward, 11, 3)                \
  OP(group_norm, 6, 1)                          \
  OP(group_norm_backward, 8, 0)                 \
  OP(prelu, 3, 0)                               \
  OP(prelu_backward, 5, 0)                      \
  OP(convolve, 3, 4)                            \
  OP(dropout, 2, 5)                             \
  OP(augment, 6, 1)

#define RECEPTIVE_DECLARE(name, tensors, attrs) void record_##name(Call&);
RECEPTIVE_OPS(RECEPTIVE_DECLARE)

const Op* all_ops() {
#define RECEPTIVE_ROW(name, tensors, attrs) {#name, tensors, attrs, record_##name},
  static const Op ops[] = {RECEPTIVE_OPS(RECEPTIVE_ROW){nullptr, 0, 0, nullptr}};
  return ops;
}

}  // namespace receptive
