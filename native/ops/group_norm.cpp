#include "group_norm.h"

#include <algorithm>
#include <cmath>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

namespace {

// Calls body(element, channel) for the elements of a sample's group.
template <class Args, class Body>
void each_of_group(const Args& a, int64_t sample, int64_t group, const Body& body) {
  const int64_t channels = a.groups * a.depth;
  for (int64_t s = 0; s < a.places; ++s) {
    for (int64_t d = 0; d < a.depth; ++d) body((sample * a.places + s) * channels + group * a.depth + d, group * a.depth + d);
  }
}

}  // namespace

template <class T>
void group_norm(const GroupNormArgs<T>& a, Context&) {
  const T m = static_cast<T>(a.places * a.depth);
  for (int64_t n = 0; n < a.samples; ++n) {
    for (int64_t k = 0; k < a.groups; ++k) {
      T sum = 0, squares = 0;
      each_of_group(a, n, k, [&](int64_t i, int64_t) { sum += a.x[i]; });
      const T mean = sum / m;
      each_of_group(a, n, k, [&](int64_t i, int64_t) { squares += (a.x[i] - mean) * (a.x[i] - mean); });
      const T invstd = 1 / std::sqrt(squares / m + static_cast<T>(a.eps));
      each_of_group(a, n, k, [&](int64_t i, int64_t c) {
        a.y[i] = (a.gamma ? a.gamma[c] : 1) * (a.x[i] - mean) * invstd + (a.beta ? a.beta[c] : 0);
      });
      a.mean[n * a.groups + k] = mean;
      a.invstd[n * a.groups + k] = invstd;
    }
  }
}

template <class T>
void group_norm_backward(const GroupNormBackwardArgs<T>& a, Context&) {
  const int64_t channels = a.groups * a.depth;
  const T m = static_cast<T>(a.places * a.depth);
  if (a.dgamma) std::fill_n(a.dgamma, channels, T{0});
  if (a.dbeta) std::fill_n(a.dbeta, channels, T{0});
  for (int64_t n = 0; n < a.samples; ++n) {
    for (int64_t k = 0; k < a.groups; ++k) {
      const T mean = a.mean[n * a.groups + k], invstd = a.invstd[n * a.groups + k];
      const auto normal = [&](int64_t i) { return (a.x[i] - mean) * invstd; };
      const auto gamma = [&](int64_t c) { return a.gamma ? a.gamma[c] : T{1}; };
      T sum_g = 0, sum_gx = 0;
      each_of_group(a, n, k, [&](int64_t i, int64_t c) {
        sum_g += gamma(c) * a.g[i];
        sum_gx += gamma(c) * a.g[i] * normal(i);
        if (a.dgamma) a.dgamma[c] += a.g[i] * normal(i);
        if (a.dbeta) a.dbeta[c] += a.g[i];
      });
      if (!a.dx) continue;
      each_of_group(a, n, k, [&](int64_t i, int64_t c) { a.dx[i] = invstd * (gamma(c) * a.g[i] - sum_g / m - normal(i) * sum_gx / m); });
    }
  }
}

template void group_norm<double>(const GroupNormArgs<double>&, Context&);
template void group_norm_backward<double>(const GroupNormBackwardArgs<double>&, Context&);

}  // namespace reference

namespace {

const Tensor& values_of(const Call& call, int i, const Tensor& x, const char* what) {
  const Tensor& t = call.in(i);
  call.require_dtype(t, x.dtype, what);
  call.require_same_shape(t, x, what, "input");
  return t;
}

// What forward and backward have in common: x [samples, places, groups, depth], and tensors of [groups, depth] and [samples, groups].
const Tensor& input_of(const Call& call) {
  const Tensor& x = call.in(0);
  call.require_float(x, "input");
  call.require_rank(x, 4, "input");
  return x;
}
template <class T>
T* channels_of(const Call& call, int i, const Tensor& x, const char* what) {
  const Tensor* t = call.optional(i);
  if (!t) return nullptr;
  call.require_dtype(*t, x.dtype, what);
  call.require(t->rank == 2 && t->dims[0] == x.dims[2] && t->dims[1] == x.dims[3], "%s has shape %s, expected [%lld,%lld]", what,
               shape_text(*t).c_str(), static_cast<long long>(x.dims[2]), static_cast<long long>(x.dims[3]));
  return t->as<T>();
}
template <class T>
T* statistics_of(const Call& call, int i, const Tensor& x, const char* what) {
  const Tensor& t = call.in(i);
  call.require_dtype(t, x.dtype, what);
  call.require(t.rank == 2 && t.dims[0] == x.dims[0] && t.dims[1] == x.dims[2], "%s has shape %s, expected [%lld,%lld]", what,
               shape_text(t).c_str(), static_cast<long long>(x.dims[0]), static_cast<long long>(x.dims[2]));
  return t.as<T>();
}

template <class T>
GroupNormArgs<T> args_of(const Call& call) {
  const Tensor& x = input_of(call);
  return {x.dims[0],
          x.dims[1],
          x.dims[2],
          x.dims[3],
          x.as<T>(),
          channels_of<T>(call, 1, x, "gamma"),
          channels_of<T>(call, 2, x, "beta"),
          values_of(call, 3, x, "output").as<T>(),
          statistics_of<T>(call, 4, x, "mean"),
          statistics_of<T>(call, 5, x, "invstd"),
          call.number(0, 0, 1e300)};
}

template <class T>
GroupNormBackwardArgs<T> backward_args_of(const Call& call) {
  const Tensor& x = input_of(call);
  return {x.dims[0],
          x.dims[1],
          x.dims[2],
          x.dims[3],
          x.as<T>(),
          values_of(call, 1, x, "gradient").as<T>(),
          channels_of<T>(call, 2, x, "gamma"),
          statistics_of<T>(call, 3, x, "mean"),
          statistics_of<T>(call, 4, x, "invstd"),
          call.optional(5) ? values_of(call, 5, x, "input's gradient").as<T>() : nullptr,
          channels_of<T>(call, 6, x, "gamma's gradient"),
          channels_of<T>(call, 7, x, "beta's gradient")};
}

}  // namespace

// x, gamma|0, beta|0, y, mean, invstd; eps. y may be x.
void record_group_norm(Call& call) {
  call.require_apart(call.in(4), call.in(5), "mean", "invstd");
  if (call.in(0).dtype == Dtype::float32) {
    call.submit(kernels().group_norm, args_of<float>(call));
  } else {
    call.submit(reference::group_norm<double>, args_of<double>(call));
  }
}

// x, g, gamma|0, mean, invstd, dx|0, dgamma|0, dbeta|0. dx may be g or x.
void record_group_norm_backward(Call& call) {
  if (call.in(0).dtype == Dtype::float32) {
    call.submit(kernels().group_norm_backward, backward_args_of<float>(call));
  } else {
    call.submit(reference::group_norm_backward<double>, backward_args_of<double>(call));
  }
}

}  // namespace receptive
