#include "cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

template <class T>
void cross_entropy(const CrossEntropyArgs<T>& a, Context& context) {
  const T C = static_cast<T>(a.classes), smoothing = static_cast<T>(a.smoothing);
  T total = 0, total_weight = 0;
  for (int64_t r = 0; r < a.rows; ++r) {
    const T* x = a.logits + r * a.classes;
    T* p = a.probs + r * a.classes;
    const auto weight = [&](int64_t c) { return a.weights ? a.weights[c] : T{1}; };
    const T top = a.classes > 0 ? *std::max_element(x, x + a.classes) : 0;
    T sum = 0;
    for (int64_t c = 0; c < a.classes; ++c) sum += std::exp(x[c] - top);
    for (int64_t c = 0; c < a.classes; ++c) p[c] = std::exp(x[c] - top) / sum;
    const auto log_p = [&](int64_t c) { return x[c] - top - std::log(sum); };

    const int64_t label = a.labels[r];
    T loss = 0;
    if (label != a.ignored) {
      if (label >= 0 && label < a.classes) {
        loss = -(1 - smoothing) * weight(label) * log_p(label);
        for (int64_t c = 0; smoothing > 0 && c < a.classes; ++c) loss -= smoothing / C * weight(c) * log_p(c);
        total_weight += weight(label);
      } else {
        context.fail("cross_entropy: label %lld of row %lld is not in 0 to %lld", static_cast<long long>(label), static_cast<long long>(r),
                     static_cast<long long>(a.classes - 1));
        loss = std::numeric_limits<T>::quiet_NaN();
      }
    }
    if (a.reduction == Reduction::none) a.loss[r] = loss;
    total += loss;
  }
  if (a.reduction == Reduction::sum) a.loss[0] = total;
  if (a.reduction == Reduction::mean) a.loss[0] = total / total_weight;
}

template <class T>
void cross_entropy_backward(const CrossEntropyBackwardArgs<T>& a, Context&) {
  const T C = static_cast<T>(a.classes), smoothing = static_cast<T>(a.smoothing);
  const auto weight = [&](int64_t c) { return a.weights ? a.weights[c] : T{1}; };
  const auto counts = [&](int64_t label) { return label != a.ignored && label >= 0 && label < a.classes; };
  T total_weight = 0, all_weights = 0;
  for (int64_t r = 0; r < a.rows; ++r) total_weight += counts(a.labels[r]) ? weight(a.labels[r]) : 0;
  for (int64_t c = 0; c < a.classes; ++c) all_weights += weight(c);

  for (int64_t r = 0; r < a.rows; ++r) {
    const int64_t label = a.labels[r];
    for (int64_t c = 0; c < a.classes; ++c) {
      T& dx = a.dx[r * a.classes + c];
      dx = 0;
      if (!counts(label)) continue;
      const T scale = a.reduction == Reduction::none ? a.g[r] : a.reduction == Reduction::sum ? a.g[0] : a.g[0] / total_weight;
      const T all = (1 - smoothing) * weight(label) + smoothing / C * all_weights;
      const T own = (c == label ? (1 - smoothing) * weight(c) : 0) + smoothing / C * weight(c);
      dx = scale * (a.probs[r * a.classes + c] * all - own);
    }
  }
}

template void cross_entropy<double>(const CrossEntropyArgs<double>&, Context&);
template void cross_entropy_backward<double>(const CrossEntropyBackwardArgs<double>&, Context&);

}  // namespace reference

namespace {

// What forward and backward have in common: [N, C] values, N labels, C weights, and N losses or one.
void require_shapes(const Call& call, const Tensor& values, const char* what, const Tensor& loss, const char* what_loss,
                    Reduction reduction) {
  const Tensor &labels = call.in(1), *weights = call.optional(2);
  call.require_float(values, what);
  call.require_rank(values, 2, what);
  call.require_dtype(labels, Dtype::int32, "labels");
  call.require_rank(labels, 1, "labels");
  const auto n = static_cast<long long>(values.dims[0]), c = static_cast<long long>(values.dims[1]);
  call.require(labels.dims[0] == n, "%lld labels for %lld rows", static_cast<long long>(labels.dims[0]), n);
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

template <class T>
CrossEntropyArgs<T> args_of(const Call& call) {
  const Tensor &logits = call.in(0), *weights = call.optional(2);
  return {logits.dims[0],
          logits.dims[1],
          logits.as<T>(),
          call.in(1).as<int32_t>(),
          weights ? weights->as<T>() : nullptr,
          call.in(3).as<T>(),
          call.in(4).as<T>(),
          reduction_of(call),
          call.integer(2, -kAnyLabel, kAnyLabel),
          call.number(1, 0, 1)};
}

template <class T>
CrossEntropyBackwardArgs<T> backward_args_of(const Call& call) {
  const Tensor &probs = call.in(0), *weights = call.optional(2);
  return {probs.dims[0],
          probs.dims[1],
          probs.as<T>(),
          call.in(1).as<int32_t>(),
          weights ? weights->as<T>() : nullptr,
          call.in(3).as<T>(),
          call.in(4).as<T>(),
          reduction_of(call),
          call.integer(2, -kAnyLabel, kAnyLabel),
          call.number(1, 0, 1)};
}

}  // namespace

// logits [N, C], labels int32 [N], weights [C]|0, loss [N] or [], probs [N, C]; reduction, smoothing, ignored label.
void record_cross_entropy(Call& call) {
  const Tensor &logits = call.in(0), &loss = call.in(3), &probs = call.in(4);
  require_shapes(call, logits, "logits", loss, "loss", reduction_of(call));
  call.require_dtype(probs, logits.dtype, "probabilities");
  call.require_same_shape(probs, logits, "probabilities", "logits");
  call.require_apart(logits, probs, "logits", "probabilities");
  if (logits.dtype == Dtype::float32) {
    call.submit(kernels().cross_entropy, args_of<float>(call));
  } else {
    call.submit(reference::cross_entropy<double>, args_of<double>(call));
  }
}

// probs [N, C], labels int32 [N], weights [C]|0, g [N] or [], dx [N, C]; reduction, smoothing, ignored label. dx may be probs.
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
