#include "cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

namespace {

template <class Args>
bool counts(const Args& a, int64_t row) {
  return a.targets || (a.labels[row] != a.ignored && a.labels[row] >= 0 && a.labels[row] < a.classes);
}

// q[c] of a row that counts.
template <class Args>
auto share(const Args& a, int64_t row, int64_t c) {
  const double target = a.targets ? a.targets[row * a.classes + c] : c == a.labels[row] ? 1 : 0;
  return (a.weights ? a.weights[c] : 1) * ((1 - a.smoothing) * target + a.smoothing / static_cast<double>(a.classes));
}

// What the mean is taken by.
template <class Args>
double divisor(const Args& a) {
  if (a.targets) return static_cast<double>(a.rows);
  double total = 0;
  for (int64_t r = 0; r < a.rows; ++r) total += !counts(a, r) ? 0 : a.weights ? a.weights[a.labels[r]] : 1;
  return total;
}

}  // namespace

template <class T>
void cross_entropy(const CrossEntropyArgs<T>& a, Context& context) {
  T total = 0;
  for (int64_t r = 0; r < a.rows; ++r) {
    const T* x = a.logits + r * a.classes;
    T* p = a.probs + r * a.classes;
    const T top = a.classes > 0 ? *std::max_element(x, x + a.classes) : 0;
    T sum = 0;
    for (int64_t c = 0; c < a.classes; ++c) sum += std::exp(x[c] - top);
    for (int64_t c = 0; c < a.classes; ++c) p[c] = std::exp(x[c] - top) / sum;

    T loss = 0;
    if (counts(a, r)) {
      for (int64_t c = 0; c < a.classes; ++c) {
        const T q = static_cast<T>(share(a, r, c));
        if (q != 0) loss -= q * (x[c] - top - std::log(sum));  // a class that does not count may have a logit of -infinity
      }
    } else if (a.labels[r] != a.ignored) {
      context.fail("crossEntropy: label %lld of row %lld is not in 0 to %lld", static_cast<long long>(a.labels[r]),
                   static_cast<long long>(r), static_cast<long long>(a.classes - 1));
      loss = std::numeric_limits<T>::quiet_NaN();
    }
    if (a.reduction == Reduction::none) a.loss[r] = loss;
    total += loss;
  }
  if (a.reduction == Reduction::sum) a.loss[0] = total;
  if (a.reduction == Reduction::mean) a.loss[0] = total / static_cast<T>(divisor(a));
}

template <class T>
void cross_entropy_backward(const CrossEntropyBackwardArgs<T>& a, Context&) {
  const double mean = a.reduction == Reduction::mean ? divisor(a) : 1;
  for (int64_t r = 0; r < a.rows; ++r) {
    double all = 0;
    for (int64_t c = 0; counts(a, r) && c < a.classes; ++c) all += share(a, r, c);
    for (int64_t c = 0; c < a.classes; ++c) {
      const int64_t at = r * a.classes + c;
      const double scale = a.g[a.reduction == Reduction::none ? r : 0] / mean;
      a.dx[at] = counts(a, r) ? static_cast<T>(scale * (a.probs[at] * all - share(a, r, c))) : 0;
    }
  }
}

template void cross_entropy<double>(const CrossEntropyArgs<double>&, Context&);
template void cross_entropy_backward<double>(const CrossEntropyBackwardArgs<double>&, Context&);

}  // namespace reference

namespace {

// What forward and backward have in common: [N, C] values, N labels or [N, C] probabilities, C weights, and N losses or one.
void require_shapes(const Call& call, const Tensor& values, const char* what, const Tensor& loss, const char* what_loss,
                    Reduction reduction) {
  const Tensor &labels = call.in(1), *weights = call.optional(2);
  call.require_float(values, what);
  call.require_rank(values, 2, what);
  const auto n = static_cast<long long>(values.dims[0]), c = static_cast<long long>(values.dims[1]);
  if (labels.dtype == Dtype::int32) {
    call.require_rank(labels, 1, "labels");
    call.require(labels.dims[0] == n, "%lld labels for %lld rows", static_cast<long long>(labels.dims[0]), n);
  } else {
    call.require(labels.dtype == values.dtype, "labels are %s, expected int32, or %s for probabilities", name_of(labels.dtype),
                 name_of(values.dtype));
    call.require_same_shape(labels, values, "labels", what);
  }
  call.require(c > 0, "%s have no classes", what);
  if (weights) {
    call.require_dtype(*weights, values.dtype, "weights");
    call.require_rank(*weights, 1, "weights");
    call.require(weights->dims[0] == c, "%lld weights for %lld classes", static_cast<long long>(weights->dims[0]), c);
  }
  call.require_dtype(loss, values.dtype, what_loss);
  if (reduction == Reduction::none) {
    call.require_rank(loss, 1, what_loss);
    call.require(loss.dims[0] == n, "%s has %lld elements, expected %lld", what_loss, static_cast<long long>(loss.dims[0]), n);
  } else {
    call.require_rank(loss, 0, what_loss);
  }
}

Reduction reduction_of(const Call& call) { return static_cast<Reduction>(call.integer(0, 0, static_cast<int64_t>(Reduction::count) - 1)); }

constexpr int64_t kAnyLabel = int64_t{1} << 53;

const int32_t* labels_of(const Call& call) { return call.in(1).dtype == Dtype::int32 ? call.in(1).as<int32_t>() : nullptr; }
template <class T>
const T* targets_of(const Call& call) {
  return call.in(1).dtype == Dtype::int32 ? nullptr : call.in(1).as<T>();
}

template <class T>
CrossEntropyArgs<T> args_of(const Call& call) {
  const Tensor &logits = call.in(0), *weights = call.optional(2);
  return {logits.dims[0],      logits.dims[1],
          logits.as<T>(),      labels_of(call),
          targets_of<T>(call), weights ? weights->as<T>() : nullptr,
          call.in(3).as<T>(),  call.in(4).as<T>(),
          reduction_of(call),  call.integer(2, -kAnyLabel, kAnyLabel),
          call.number(1, 0, 1)};
}

template <class T>
CrossEntropyBackwardArgs<T> backward_args_of(const Call& call) {
  const Tensor &probs = call.in(0), *weights = call.optional(2);
  return {probs.dims[0],       probs.dims[1],
          probs.as<T>(),       labels_of(call),
          targets_of<T>(call), weights ? weights->as<T>() : nullptr,
          call.in(3).as<T>(),  call.in(4).as<T>(),
          reduction_of(call),  call.integer(2, -kAnyLabel, kAnyLabel),
          call.number(1, 0, 1)};
}

}  // namespace

// logits [N, C], labels int32 [N] or probabilities [N, C], weights [C]|0, loss [N] or [], probs [N, C]; reduction, smoothing, ignored
// label.
void record_cross_entropy(Call& call) {
  const Tensor &logits = call.in(0), &loss = call.in(3), &probs = call.in(4);
  require_shapes(call, logits, "logits", loss, "loss", reduction_of(call));
  call.require_dtype(probs, logits.dtype, "probabilities");
  call.require_same_shape(probs, logits, "probabilities", "logits");
  call.require_apart(logits, probs, "logits", "probabilities");
  call.require_apart(call.in(1), probs, "labels", "probabilities");
  if (logits.dtype == Dtype::float32) {
    call.submit(kernels().cross_entropy, args_of<float>(call));
  } else {
    call.submit(reference::cross_entropy<double>, args_of<double>(call));
  }
}

// probs [N, C], labels int32 [N] or probabilities [N, C], weights [C]|0, g [N] or [], dx [N, C]; reduction, smoothing, ignored label. dx
// may be probs.
void record_cross_entropy_backward(Call& call) {
  const Tensor &probs = call.in(0), &g = call.in(3), &dx = call.in(4);
  require_shapes(call, probs, "probabilities", g, "gradient", reduction_of(call));
  call.require_dtype(dx, probs.dtype, "logits' gradient");
  call.require_same_shape(dx, probs, "logits' gradient", "probabilities");
  if (probs.dtype == Dtype::float32) {
    call.submit(kernels().cross_entropy_backward, backward_args_of<float>(call));
  } else {
    call.submit(reference::cross_entropy_backward<double>, backward_args_of<double>(call));
  }
}

}  // namespace receptive
