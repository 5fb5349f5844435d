// The list of ops. One row each: name, tensors, attributes; the function is record_<name>, in the op's own file.
#include "op.h"

namespace receptive {

#define RECEPTIVE_OPS(OP)           \
  OP(unary, 2, 1)                   \
  OP(unary_backward, 3, 1)          \
  OP(conv2d, 4, 10)                 \
  OP(conv2d_backward_input, 3, 10)  \
  OP(conv2d_backward_weight, 4, 10) \
  OP(matmul, 4, 2)

#define RECEPTIVE_DECLARE(name, tensors, attrs) void record_##name(Call&);
RECEPTIVE_OPS(RECEPTIVE_DECLARE)

const Op* all_ops() {
#define RECEPTIVE_ROW(name, tensors, attrs) {#name, tensors, attrs, record_##name},
  static const Op ops[] = {RECEPTIVE_OPS(RECEPTIVE_ROW){nullptr, 0, 0, nullptr}};
  return ops;
}

}  // namespace receptive
