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
    for (int64_t r = 0; r < a.rows; ++r) a.y[r * a.channels + c] = gamma * (a.x[r * a.channels + c] - mean) * invstd + beta;
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
    for (int64_t r = 0; r < a.rows; ++r) a.y[r * a.channels + c] = gamma * (a.x[r * a.channels + c] - a.mean[c]) * invstd + beta;
    if (a.invstd) a.invstd[c] = invstd;
  }
}

template <class T>
void batch_norm_backward(const BatchNormBackwardArgs<T>& a, Context&) {
  const T m = static_cast<T>(a.rows);
  for (int64_t c = 0; c < a.channels; ++c) {
    const auto normal = [&](int64_t i) { return (a.x[i] - a.mean[c]) * a.invstd[c]; };
    T sum_g = 0, sum_gx = 0;
    for (int64_t r = 0; r < a.rows; ++r) {
      const int64_t i = r * a.channels + c;
      sum_g += a.g[i];
      sum_gx += a.g[i] * normal(i);
    }
    const T scale = (a.gamma ? a.gamma[c] : 1) * a.invstd[c];
    for (int64_t r = 0; a.dx && r < a.rows; ++r) {
      const int64_t i = r * a.channels + c;
      a.dx[i] = scale * (a.training ? a.g[i] - sum_g / m - normal(i) * sum_gx / m : a.g[i]);
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
  call.require(x.rank >= 2, "input has shape %s, expected rank 2 or more", shape_text(x).c_str());
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
  call.require(t->rank == 1 && t->dims[0] == channels, "%s has shape %s, expected [%lld]", what, shape_text(*t).c_str(),
               static_cast<long long>(channels));
}

template <class T>
T* data_of(const Call& call, int i) {
  return call.optional(i) ? call.optional(i)->as<T>() : nullptr;
}

template <class T>
BatchNormTrainArgs<T> train_args(const Call& call) {
  const Tensor& x = call.in(0);
  return {rows_of(x),          x.dims[x.rank - 1],  x.as<T>(),           data_of<T>(call, 1), data_of<T>(call, 2),  data_of<T>(call, 3),
          data_of<T>(call, 4), data_of<T>(call, 5), data_of<T>(call, 6), data_of<T>(call, 7), call.number(0, 0, 1), call.number(1)};
}

template <class T>
BatchNormInferArgs<T> infer_args(const Call& call) {
  const Tensor& x = call.in(0);
  return {rows_of(x),          x.dims[x.rank - 1],  x.as<T>(),           data_of<T>(call, 1), data_of<T>(call, 2),
          data_of<T>(call, 3), data_of<T>(call, 4), data_of<T>(call, 5), data_of<T>(call, 6), call.number(0)};
}

template <class T>
BatchNormBackwardArgs<T> backward_args(const Call& call) {
  const Tensor& x = call.in(0);
  return {rows_of(x),          x.dims[x.rank - 1],  call.flag(0),        x.as<T>(),           data_of<T>(call, 1), data_of<T>(call, 2),
          data_of<T>(call, 3), data_of<T>(call, 4), data_of<T>(call, 5), data_of<T>(call, 6), data_of<T>(call, 7)};
}

}  // namespace

// x, gamma|0, beta|0, running mean|0, running variance|0, y, mean, invstd; momentum, eps. y may be x.
void record_batch_norm_train(Call& call) {
  static const char* const names[] = {"input", "gamma", "beta", "running mean", "running variance", "output", "mean", "invstd"};
  const Tensor &x = call.in(0), &y = call.in(5);
  channels_of(call, x);
  require_like(call, y, x, "output");
  for (const int i : {1, 2, 3, 4, 6, 7}) require_per_channel(call, i, x, names[i]);
  call.require_apart(call.in(6), call.in(7), "mean", "invstd");
  call.require(rows_of(x) > 1, "input has shape %s: a variance needs more than one value a channel", shape_text(x).c_str());
  if (x.dtype == Dtype::float32) {
    call.submit(kernels().batch_norm_train, train_args<float>(call));
  } else {
    call.submit(reference::batch_norm_train<double>, train_args<double>(call));
  }
}

// x, gamma|0, beta|0, mean, variance, y, invstd|0; eps. y may be x.
void record_batch_norm_infer(Call& call) {
  static const char* const names[] = {"input", "gamma", "beta", "mean", "variance", "output", "invstd"};
  const Tensor &x = call.in(0), &y = call.in(5);
  channels_of(call, x);
  require_like(call, y, x, "output");
  call.in(3), call.in(4);
  for (const int i : {1, 2, 3, 4, 6}) require_per_channel(call, i, x, names[i]);
  if (x.dtype == Dtype::float32) {
    call.submit(kernels().batch_norm_infer, infer_args<float>(call));
  } else {
    call.submit(reference::batch_norm_infer<double>, infer_args<double>(call));
  }
}

// x, g, gamma|0, mean, invstd, dx|0, dgamma|0, dbeta|0; training. dx may be g or x.
void record_batch_norm_backward(Call& call) {
  static const char* const names[] = {"input",          "gradient", "gamma", "mean", "invstd", "input's gradient", "gamma's gradient",
                                      "beta's gradient"};
  const Tensor& x = call.in(0);
  channels_of(call, x);
  require_like(call, call.in(1), x, names[1]);
  if (call.optional(5)) require_like(call, call.in(5), x, names[5]);
  call.in(3), call.in(4);
  for (const int i : {2, 3, 4, 6, 7}) require_per_channel(call, i, x, names[i]);
  if (x.dtype == Dtype::float32) {
    call.submit(kernels().batch_norm_backward, backward_args<float>(call));
  } else {
    call.submit(reference::batch_norm_backward<double>, backward_args<double>(call));
  }
}

}  // namespace receptive
