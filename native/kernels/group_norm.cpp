// Layer, group and instance norm: x is [samples, places, groups, depth], and each sample's group has statistics of its own.
#include "../ops/group_norm.h"

#include <math.h>

#include "group_norm_columns.h"
#include "group_norm_runs.h"

namespace receptive::RECEPTIVE_ISA {

void group_norm(const GroupNormArgs<float>&, Context&);
void group_norm_backward(const GroupNormBackwardArgs<float>&, Context&);

void group_norm(const GroupNormArgs<float>& a, Context& context) {
  if (a.samples * a.groups == 0) return;
  if (a.places * a.depth == 0) {  // no values: the mean is 0 / 0
    for (int64_t i = 0; i < a.samples * a.groups; ++i) a.mean[i] = a.invstd[i] = NAN;
  } else if (a.places == 1) {
    norm_of_runs(a, context);
  } else {
    norm_of_columns(a, context);
  }
}

void group_norm_backward(const GroupNormBackwardArgs<float>& a, Context& context) {
  const int64_t C = a.groups * a.depth;
  if (a.samples * a.places * C == 0) {
    for (int64_t c = 0; c < C; ++c) {
      if (a.dgamma) a.dgamma[c] = 0;
      if (a.dbeta) a.dbeta[c] = 0;
    }
    return;
  }
  if (a.places > 1) return gradients_of_columns(a, context);
  if (a.dgamma || a.dbeta) parameter_gradients_of_runs(a, context);  // first: dx may be x or g
  if (a.dx) gradient_of_runs(a, context);
}

}  // namespace receptive::RECEPTIVE_ISA
