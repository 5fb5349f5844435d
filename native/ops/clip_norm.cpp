// Gradients scaled down to a norm, in two passes over all of them: squared_norm adds up, clip_norm scales. The norm never leaves the
// stream, and a gradient that is short enough is not written.
#include <cmath>

#include "chunks.h"
#include "op.h"

namespace receptive {

namespace {

template <class T>
struct SquaredNormArgs {
  int64_t size;
  const T* x;
  double* total;
};

// Taken in double, where the square of any float is finite; lanes let the compiler use vectors.
template <class T>
double squares(const T* x, int64_t size) {
  constexpr int kLanes = 8;
  double sum[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (int k = 0; k < kLanes; ++k) sum[k] += static_cast<double>(x[i + k]) * static_cast<double>(x[i + k]);
  }
  for (; i < size; ++i) sum[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  for (int k = 1; k < kLanes; ++k) sum[0] += sum[k];
  return sum[0];
}

template <class T>
void squared_norm(const SquaredNormArgs<T>& a, Context& context) {
  const int64_t chunks = (a.size + kChunk - 1) / kChunk;
  double* part = static_cast<double*>(context.scratch(static_cast<size_t>(chunks) * sizeof(double)));
  for_chunks(context, a.size, kChunk, [&](int64_t begin, int64_t end) { part[begin / kChunk] = squares(a.x + begin, end - begin); });
  for (int64_t c = 0; c < chunks; ++c) *a.total += part[c];
}

template <class T>
struct ClipNormArgs {
  int64_t size;
  T* x;
  const double* total;
  double most;
};

// As PyTorch's clip_grad_norm_: the 1e-6 is its own, and a norm that is NaN makes everything NaN.
template <class T>
void clip_norm(const ClipNormArgs<T>& a, Context& context) {
  const double scale = a.most / (std::sqrt(*a.total) + 1e-6);
  if (scale >= 1) return;
  const T factor = static_cast<T>(scale);
  for_chunks(context, a.size, kChunk, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) a.x[i] *= factor;
  });
}

void require(const Call& call) {
  const Tensor &x = call.in(0), &total = call.in(1);
  call.require_float(x, "gradient");
  call.require_dtype(total, Dtype::float64, "total");
  call.require(total.size() == 1, "total has shape %s, expected one element", shape_text(total).c_str());
  call.require_apart(x, total, "gradient", "total");
}

}  // namespace

// x, total float64, to which the sum of x's squares is added.
void record_squared_norm(Call& call) {
  call.changes = 1u << 1;
  require(call);
  const Tensor &x = call.in(0), &total = call.in(1);
  if (x.dtype == Dtype::float32) {
    call.submit(squared_norm<float>, SquaredNormArgs<float>{x.size(), x.as<float>(), total.as<double>()});
  } else {
    call.submit(squared_norm<double>, SquaredNormArgs<double>{x.size(), x.as<double>(), total.as<double>()});
  }
}

// x, total float64, the square of the norm x is a part of; the most that norm is to be.
void record_clip_norm(Call& call) {
  call.changes = 1u << 0;
  require(call);
  const Tensor &x = call.in(0), &total = call.in(1);
  const double most = call.number(0);
  call.require(most >= 0, "the most is %g, expected at least 0", most);
  if (x.dtype == Dtype::float32) {
    call.submit(clip_norm<float>, ClipNormArgs<float>{x.size(), x.as<float>(), total.as<double>(), most});
  } else {
    call.submit(clip_norm<double>, ClipNormArgs<double>{x.size(), x.as<double>(), total.as<double>(), most});
  }
}

}  // namespace receptive
