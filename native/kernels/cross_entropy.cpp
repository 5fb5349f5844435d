// Cross-entropy fused with the softmax it needs: a row at a time, losses summed in double in the order of rows.
#include "../ops/cross_entropy.h"

#include "softmax_row.h"

namespace receptive::RECEPTIVE_ISA {

void cross_entropy(const CrossEntropyArgs<float>&, Context&);
void cross_entropy_backward(const CrossEntropyBackwardArgs<float>&, Context&);

RECEPTIVE_INLINE float weight_of(const float* weights, int64_t c) { return weights ? weights[c] : 1.0f; }

// Whether a row has probabilities, or a label that is a class and not ignored.
template <class Args>
RECEPTIVE_INLINE bool counts(const Args& a, int64_t row) {
  if (a.targets) return true;
  const int64_t label = a.labels[row];
  return label != a.ignored && label >= 0 && label < a.classes;
}

// Σ_c w[c] t[c].
RECEPTIVE_INLINE float dot(const float* t, const float* weights, int64_t n) {
  Vec sum = zero();
  for (int64_t c = 0; c < n; c += Vec::width) {
    const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, n - c));
    const Vec target = load_some(t + c, lanes);
    sum = weights ? fma(load_some(weights + c, lanes), target, sum) : sum + target;
  }
  return reduce_add(sum);
}

// What the mean is taken by.
template <class Args>
RECEPTIVE_INLINE double divisor_of(const Args& a) {
  if (a.targets) return static_cast<double>(a.rows);
  double total = 0;
  for (int64_t r = 0; r < a.rows; ++r) {
    if (counts(a, r)) total += weight_of(a.weights, a.labels[r]);
  }
  return total;
}

// The loss of a row whose logits have the maximum top and Σ e^(x - top) = sum.
RECEPTIVE_INLINE double row_loss(const CrossEntropyArgs<float>& a, int64_t row, float top, float sum, Context& context) {
  const float* x = a.logits + row * a.classes;
  const double log_sum = ::log(static_cast<double>(sum));
  const auto minus_log_p = [&](int64_t c) { return log_sum - (static_cast<double>(x[c]) - top); };
  if (a.targets) {
    double loss = 0;
    for (int64_t c = 0; c < a.classes; ++c) {
      const double target = static_cast<double>(a.targets[row * a.classes + c]);
      const double q = weight_of(a.weights, c) * ((1 - a.smoothing) * target + a.smoothing / static_cast<double>(a.classes));
      if (q != 0) loss += q * minus_log_p(c);
    }
    return loss;
  }
  const int64_t label = a.labels[row];
  if (label == a.ignored) return 0;
  if (label < 0 || label >= a.classes) {
    context.fail("crossEntropy: label %lld of row %lld is not in 0 to %lld", static_cast<long long>(label), static_cast<long long>(row),
                 static_cast<long long>(a.classes - 1));
    return NAN;
  }
  double loss = (1 - a.smoothing) * weight_of(a.weights, label) * minus_log_p(label);
  if (a.smoothing > 0) {
    double all = 0;
    for (int64_t c = 0; c < a.classes; ++c) all += weight_of(a.weights, c) * minus_log_p(c);
    loss += a.smoothing / static_cast<double>(a.classes) * all;
  }
  return loss;
}

void cross_entropy(const CrossEntropyArgs<float>& a, Context& context) {
  double* losses = static_cast<double*>(context.scratch(static_cast<size_t>(a.rows) * sizeof(double)));
  split(context, a.rows, kExponentialGrain / a.classes, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      const float* x = a.logits + r * a.classes;
      float* p = a.probs + r * a.classes;
      const float top = row_max(x, a.classes), sum = row_exp(x, a.classes, top, p);
      const Vec scale = broadcast(1 / sum);
      for (int64_t c = 0; c < a.classes; c += Vec::width) {
        const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, a.classes - c));
        store_some(p + c, load_some(p + c, lanes) * scale, lanes);
      }
      losses[r] = row_loss(a, r, top, sum, context);
    }
  });
  if (a.reduction == Reduction::none) {
    for (int64_t r = 0; r < a.rows; ++r) a.loss[r] = static_cast<float>(losses[r]);
    return;
  }
  double total = 0;
  for (int64_t r = 0; r < a.rows; ++r) total += losses[r];
  a.loss[0] = static_cast<float>(a.reduction == Reduction::mean ? total / divisor_of(a) : total);
}

void cross_entropy_backward(const CrossEntropyBackwardArgs<float>& a, Context& context) {
  const double divisor = a.reduction == Reduction::mean ? divisor_of(a) : 1;
  const float spread = static_cast<float>(a.smoothing / static_cast<double>(a.classes)), keep = static_cast<float>(1 - a.smoothing);
  double all_weights = 0;
  for (int64_t c = 0; c < a.classes; ++c) all_weights += weight_of(a.weights, c);
  split(context, a.rows, kElementGrain / a.classes, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      const float* p = a.probs + r * a.classes;
      float* dx = a.dx + r * a.classes;
      if (!counts(a, r)) {
        memset(dx, 0, static_cast<size_t>(a.classes) * sizeof(float));
        continue;
      }
      const float g = static_cast<float>(a.g[a.reduction == Reduction::none ? r : 0] / divisor);
      const float* t = a.targets ? a.targets + r * a.classes : nullptr;
      const int64_t label = t ? 0 : a.labels[r];
      const float w = t ? dot(t, a.weights, a.classes) : weight_of(a.weights, label);
      const float all = keep * w + spread * static_cast<float>(all_weights), label_dx = g * (p[label] * all - (keep + spread) * w);
      for (int64_t c = 0; c < a.classes; c += Vec::width) {
        const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, a.classes - c));
        const Vec share = t ? fma(broadcast(keep), load_some(t + c, lanes), broadcast(spread)) : broadcast(spread);
        const Vec own = share * (a.weights ? load_some(a.weights + c, lanes) : broadcast(1.0f));
        store_some(dx + c, broadcast(g) * (load_some(p + c, lanes) * broadcast(all) - own), lanes);
      }
      if (!t) dx[label] = label_dx;
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
