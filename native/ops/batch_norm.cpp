#include "batch_norm.h"

#include <cmath>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

template <class T>
void batch_norm_train(const BatchNormTrainArgs<T>& a, Context&) {
  const T m = static_cast<T>(a.rows), eps = static_cast<T>(a.eps), momentum = static_cast<T>(a.momentum);
  for (int64_t c = 0; c < a.channels; ++c) {
    T sum = 0, squares = 0;
    for (int64_t r = 0; r < a.rows; ++r) sum += a.x[r * a.channels + c];
    const T mean = sum / m;
    for (int64_t r = 0; r < a.rows; ++r) {
      const T deviation = a.x[r * a.channels + c] - mean;
      squares += deviation * deviation;
    }
    const T invstd = 1 / std::sqrt(squares / m + eps), gamma = a.gamma ? a.gamma[c] : 1, beta = a.beta ? a.beta[c] : 0;
    for (int64_t r = 0; r < a.rows; ++r) {
      const int64_t i = r * a.channels + c;
      a.y[i] = clipped(gamma * (a.x[i] - mean) * invstd + beta + (a.add ? a.add[i] : 0), a.clip);
    }
    a.mean[c] = mean;
    a.invstd[c] = invstd;
    if (a.running_mean) a.running_mean[c] = (1 - momentum) * a.running_mean[c] + momentum * mean;
    if (a.running_var) a.running_var[c] = (1 - momentum) * a.running_var[c] + momentum * squares / (m - 1);
  }
}

template <class T>
void batch_norm_infer(const BatchNormInferArgs<T>& a, Context&) {
  for (int64_t c = 0; c < a.channels; ++c) {
    const T invstd = 1 / std::sqrt(a.var[c] + static_cast<T>(a.eps)), gamma = a.gamma ? a.gamma[c] : 1, beta = a.beta ? a.beta[c] : 0;
    for (int64_t r = 0; r < a.rows; ++r) {
      const int64_t i = r * a.channels + c;
      a.y[i] = clipped(gamma * (a.x[i] - a.mean[c]) * invstd + beta + (a.add ? a.add[i] : 0), a.clip);
    }
    if (a.invstd) a.invstd[c] = invstd;
  }
}

template <class T>
void batch_norm_backward(const BatchNormBackwardArgs<T>& a, Context&) {
  const T m = static_cast<T>(a.rows);
  for (int64_t c = 0; c < a.channels; ++c) {
    const T gamma = a.gamma ? a.gamma[c] : 1, beta = a.beta ? a.beta[c] : 0, scale = gamma * a.invstd[c];
    const auto normal = [&](int64_t i) { return (a.x[i] - a.mean[c]) * a.invstd[c]; };
    const auto gradient = [&](int64_t i) {
      const T value = a.y ? a.y[i] : gamma * normal(i) + beta;
      return passes(value, a.clip) ? a.g[i] : T{0};
    };
    T sum_g = 0, sum_gx = 0;
    for (int64_t r = 0; r < a.rows; ++r) {
      const int64_t i = r * a.channels + c;
      sum_g += gradient(i);
      sum_gx += gradient(i) * normal(i);
    }
    for (int64_t r = 0; r < a.rows; ++r) {
      const int64_t i = r * a.channels + c;
      const T g = gradient(i);
      if (a.dx) a.dx[i] = scale * (a.training ? g - sum_g / m - normal(i) * sum_gx / m : g);
      if (a.dadd) a.dadd[i] = g;
    }
    if (a.dgamma) a.dgamma[c] = sum_gx;
    if (a.dbeta) a.dbeta[c] = sum_g;
  }
}

template void batch_norm_train<double>(const BatchNormTrainArgs<double>&, Context&);
template void batch_norm_infer<double>(const BatchNormInferArgs<double>&, Context&);
template void batch_norm_backward<double>(const BatchNormBackwardArgs<double>&, Context&);

}  // namespace reference

namespace {

int64_t channels_of(const Call& call, const Tensor& x) {
  call.require_float(x, "input");
  if (x.rank < 2) call.fail("input has shape %s, expected rank 2 or more", shape_text(x).c_str());
  return x.dims[x.rank - 1];
}
int64_t rows_of(const Tensor& x) {
  int64_t rows = 1;
  for (int i = 0; i + 1 < x.rank; ++i) rows *= x.dims[i];
  return rows;
}

void require_like(const Call& call, const Tensor& t, const Tensor& x, const char* what) {
  call.require_dtype(t, x.dtype, what);
  call.require_same_shape(t, x, what, "input");
}
void require_per_channel(const Call& call, int i, const Tensor& x, const char* what) {
  const Tensor* t = call.optional(i);
  if (!t) return;
  const int64_t channels = x.dims[x.rank - 1];
  call.require_dtype(*t, x.dtype, what);
  if (t->rank != 1 || t->dims[0] != channels)
    call.fail("%s has shape %s, expected [%lld]", what, shape_text(*t).c_str(), static_cast<long long>(channels));
}

template <class T>
T* data_of(const Call& call, int i) {
  return call.optional(i) ? call.optional(i)->as<T>() : nullptr;
}

template <class T>
BatchNormTrainArgs<T> train_args(const Call& call) {
  const Tensor& x = call.in(0);
  const auto data = [&](int i) { return data_of<T>(call, i); };
  return {rows_of(x), x.dims[x.rank - 1],   data(0),        data(1),         data(2), data(3), data(4), data(5), data(6), data(7),
          data(8),    call.number(0, 0, 1), call.number(1), clip_of(call, 2)};
}

template <class T>
BatchNormInferArgs<T> infer_args(const Call& call) {
  const Tensor& x = call.in(0);
  const auto data = [&](int i) { return data_of<T>(call, i); };
  return {rows_of(x), x.dims[x.rank - 1], data(0),         data(1), data(2), data(3), data(4), data(5), data(6),
          data(7),    call.number(0),     clip_of(call, 1)};
}

template <class T>
BatchNormBackwardArgs<T> backward_args(const Call& call) {
  const Tensor& x = call.in(0);
  const auto data = [&](int i) { return data_of<T>(call, i); };
  return {rows_of(x), x.dims[x.rank - 1], call.flag(0),    data(0), data(1), data(2), data(3), data(4), data(5), data(6), data(7), data(8),
          data(9),    data(10),           clip_of(call, 1)};
}

}  // namespace

// x, gamma|0, beta|0, running mean|0, running variance|0, add|0, y, mean, invstd; momentum, eps, low, high. y may be x or add.
void record_batch_norm_train(Call& call) {
  call.updates = 1u << 3 | 1u << 4;
  static const char* const names[] = {"input",         "gamma",  "beta", "running mean", "running variance",
                                      "what is added", "output", "mean", "invstd"};
  const Tensor& x = call.in(0);
  channels_of(call, x);
  require_like(call, call.in(6), x, names[6]);
  if (call.optional(5)) require_like(call, call.in(5), x, names[5]);
  for (const int i : {1, 2, 3, 4, 7, 8}) require_per_channel(call, i, x, names[i]);
  call.require_apart(call.in(7), call.in(8), "mean", "invstd");
  if (rows_of(x) <= 1) call.fail("input has shape %s: a variance needs more than one value a channel", shape_text(x).c_str());
  if (x.dtype == Dtype::float32) {
    call.submit(kernels().batch_norm_train, train_args<float>(call));
  } else {
    call.submit(reference::batch_norm_train<double>, train_args<double>(call));
  }
}

// x, gamma|0, beta|0, mean, variance, add|0, y, invstd|0; eps, low, high. y may be x or add.
void record_batch_norm_infer(Call& call) {
  static const char* const names[] = {"input", "gamma", "beta", "mean", "variance", "what is added", "output", "invstd"};
  const Tensor& x = call.in(0);
  channels_of(call, x);
  require_like(call, call.in(6), x, names[6]);
  if (call.optional(5)) require_like(call, call.in(5), x, names[5]);
  call.in(3), call.in(4);
  for (const int i : {1, 2, 3, 4, 7}) require_per_channel(call, i, x, names[i]);
  if (x.dtype == Dtype::float32) {
    call.submit(kernels().batch_norm_infer, infer_args<float>(call));
  } else {
    call.submit(reference::batch_norm_infer<double>, infer_args<double>(call));
  }
}

// x, g, gamma|0, beta|0, mean, invstd, y|0, dx|0, dgamma|0, dbeta|0, dadd|0; training, low, high. dx may be g or x, dadd may be g.
void record_batch_norm_backward(Call& call) {
  static const char* const names[] = {
      "input",           "gradient",    "gamma", "beta", "mean", "invstd", "output", "input's gradient", "gamma's gradient",
      "beta's gradient", "what is left"};
  const Tensor& x = call.in(0);
  channels_of(call, x);
  require_like(call, call.in(1), x, names[1]);
  for (const int i : {6, 7, 10}) {
    if (call.optional(i)) require_like(call, call.in(i), x, names[i]);
  }
  call.in(4), call.in(5);
  for (const int i : {2, 3, 4, 5, 8, 9}) require_per_channel(call, i, x, names[i]);
  if (call.optional(10)) {
    call.in(6);
    call.require_apart(call.in(10), x, names[10], names[0]);
    call.require_apart(call.in(10), call.in(6), names[10], names[6]);
    if (call.optional(7)) call.require_apart(call.in(10), call.in(7), names[10], names[7]);
    call.require(clips(clip_of(call, 1)), "nothing is clipped, so that what is left is the gradient");
  }
  if (x.dtype == Dtype::float32) {
    call.submit(kernels().batch_norm_backward, backward_args<float>(call));
  } else {
    call.submit(reference::batch_norm_backward<double>, backward_args<double>(call));
  }
}

}  // namespace receptive
