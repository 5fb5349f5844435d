#include "conv2d.h"

#include <algorithm>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

namespace {

// Calls term(x index, w index, y index) for every product of the sum that defines the convolution.
template <class Term>
void each_term(const Conv2dShape& s, const Term& term) {
  const int64_t Cg = s.C / s.groups, Kg = s.K / s.groups;
  for (int64_t n = 0; n < s.N; ++n)
    for (int64_t i = 0; i < s.OH; ++i)
      for (int64_t j = 0; j < s.OW; ++j)
        for (int64_t a = 0; a < s.kh; ++a)
          for (int64_t b = 0; b < s.kw; ++b) {
            const int64_t h = i * s.sh - s.top + a * s.dh, w = j * s.sw - s.left + b * s.dw;
            if (h < 0 || h >= s.H || w < 0 || w >= s.W) continue;
            for (int64_t c = 0; c < Cg; ++c)
              for (int64_t k = 0; k < s.K; ++k)
                term(((n * s.H + h) * s.W + w) * s.C + k / Kg * Cg + c, ((a * s.kw + b) * Cg + c) * s.K + k,
                     ((n * s.OH + i) * s.OW + j) * s.K + k);
          }
}

}  // namespace

template <class T>
void conv2d(const Conv2dArgs<T>& a, Context&) {
  const Conv2dShape& s = a.shape;
  const int64_t size = s.N * s.OH * s.OW * s.K;
  for (int64_t i = 0; i < size; ++i) a.y[i] = a.b ? a.b[i % s.K] : 0;
  each_term(s, [&](int64_t x, int64_t w, int64_t y) { a.y[y] += a.x[x] * a.w[w]; });
  for (int64_t i = 0; i < size; ++i) a.y[i] = clipped(a.y[i] + (a.add ? a.add[i] : 0), a.clip);
}

template <class T>
void conv2d_backward_input(const Conv2dBackwardInputArgs<T>& a, Context&) {
  const Conv2dShape& s = a.shape;
  for (int64_t i = 0; i < s.N * s.H * s.W * s.C; ++i) a.dx[i] = a.b ? a.b[i % s.C] : 0;
  each_term(s, [&](int64_t x, int64_t w, int64_t y) { a.dx[x] += a.g[y] * a.w[w]; });
}

template <class T>
void conv2d_backward_weight(const Conv2dBackwardWeightArgs<T>& a, Context&) {
  const Conv2dShape& s = a.shape;
  std::fill_n(a.dw, s.kh * s.kw * (s.C / s.groups) * s.K, T{0});
  each_term(s, [&](int64_t x, int64_t w, int64_t y) { a.dw[w] += a.x[x] * a.g[y]; });
  if (a.db == nullptr) return;
  std::fill_n(a.db, s.K, T{0});
  for (int64_t i = 0; i < s.N * s.OH * s.OW * s.K; ++i) a.db[i % s.K] += a.g[i];
}

template void conv2d<double>(const Conv2dArgs<double>&, Context&);
template void conv2d_backward_input<double>(const Conv2dBackwardInputArgs<double>&, Context&);
template void conv2d_backward_weight<double>(const Conv2dBackwardWeightArgs<double>&, Context&);

}  // namespace reference

namespace {

// Whether a padded image has at most 2^44 values, so that the bytes of a kernel's copies of it can be counted.
bool can_be_copied(int64_t rows, int64_t columns, int64_t channels) {
  constexpr int64_t most = int64_t{1} << 44;
  return rows <= most && columns <= most / std::max<int64_t>(rows, 1) && channels <= most / std::max<int64_t>(rows * columns, 1);
}

}  // namespace

Conv2dShape conv2d_shape(const Call& call, const Tensor& x, int64_t kh, int64_t kw, const Tensor& y) {
  call.require_float(x, "input");
  call.require_dtype(y, x.dtype, "output");
  call.require_rank(x, 4, "input");
  call.require_rank(y, 4, "output");

  Conv2dShape s{x.dims[0], x.dims[1], x.dims[2], x.dims[3], y.dims[3], kh, kw, 0, 0, 0, 0, 0, 0, 0, 0, 1, Conv2dShape::automatic};
  s.sh = call.integer(0, 1, kMaxStep);
  s.sw = call.integer(1, 1, kMaxStep);
  s.top = call.integer(2, 0, kMaxStep);
  const int64_t right = call.integer(3, -kMaxStep, kMaxStep), bottom = call.integer(4, -kMaxStep, kMaxStep);
  s.left = call.integer(5, 0, kMaxStep);
  s.dh = call.integer(6, 1, kMaxStep);
  s.dw = call.integer(7, 1, kMaxStep);

  if (s.C == 0 || s.K == 0)
    call.fail("input has shape %s, output %s, expected at least one channel each", shape_text(x).c_str(), shape_text(y).c_str());
  call.require(s.kh > 0 && s.kw > 0, "kernel is %lldx%lld, expected at least 1x1", static_cast<long long>(s.kh),
               static_cast<long long>(s.kw));
  const int64_t rows = s.H + s.top + bottom, columns = s.W + s.left + right;
  if (!can_be_copied(std::max(rows, s.H + s.top), std::max(columns, s.W + s.left), std::max(s.C, s.K)))
    call.fail("input of shape %s, padded to %lldx%lld, is too large", shape_text(x).c_str(), static_cast<long long>(rows),
              static_cast<long long>(columns));
  call.require(s.dh * (s.kh - 1) < rows && s.dw * (s.kw - 1) < columns,
               "kernel %lldx%lld (dilation %lld,%lld) is larger than the padded input %lldx%lld", static_cast<long long>(s.kh),
               static_cast<long long>(s.kw), static_cast<long long>(s.dh), static_cast<long long>(s.dw), static_cast<long long>(rows),
               static_cast<long long>(columns));
  s.OH = (rows - s.dh * (s.kh - 1) - 1) / s.sh + 1;
  s.OW = (columns - s.dw * (s.kw - 1) - 1) / s.sw + 1;
  if (y.dims[0] != s.N || y.dims[1] != s.OH || y.dims[2] != s.OW)
    call.fail("output has shape %s, expected [%lld,%lld,%lld,%lld]", shape_text(y).c_str(), static_cast<long long>(s.N),
              static_cast<long long>(s.OH), static_cast<long long>(s.OW), static_cast<long long>(s.K));
  return s;
}

namespace {

// Checks input [N,H,W,C], weight [kh,kw,C/groups,K] and output [N,OH,OW,K] against each other and the attributes of conv2d_shape, groups
// and algorithm.
Conv2dShape check(const Call& call, const Tensor& x, const Tensor& w, const Tensor& y) {
  call.require_rank(w, 4, "weight");
  Conv2dShape s = conv2d_shape(call, x, w.dims[0], w.dims[1], y);
  call.require_dtype(w, x.dtype, "weight");
  s.groups = call.integer(8, 1, int64_t{1} << 31);
  s.algorithm = static_cast<Conv2dShape::Algorithm>(call.integer(9, 0, 2));
  call.require(s.C % s.groups == 0 && s.K % s.groups == 0,
               "groups is %lld, expected a divisor of the %lld input and the %lld output channels", static_cast<long long>(s.groups),
               static_cast<long long>(s.C), static_cast<long long>(s.K));
  if (w.dims[2] != s.C / s.groups || w.dims[3] != s.K)
    call.fail("weight has shape %s, expected [%lld,%lld,%lld,%lld]", shape_text(w).c_str(), static_cast<long long>(s.kh),
              static_cast<long long>(s.kw), static_cast<long long>(s.C / s.groups), static_cast<long long>(s.K));
  call.require(s.algorithm != Conv2dShape::winograd || can_filter(s),
               "algorithm is Winograd's, expected a kernel of 3x3 to 5x5 or 1x3 to 1x5 taps for each step of the stride, 1 group, and no "
               "dilation beside a stride");
  return s;
}

// A bias, where there is one, holds a number for each channel of the tensor it is added to, or for which it is a gradient.
void check_bias(const Call& call, const Tensor* b, const Tensor& of) {
  if (b == nullptr) return;
  call.require_dtype(*b, of.dtype, "bias");
  if (b->rank != 1 || b->dims[0] != of.dims[3])
    call.fail("bias has shape %s, expected [%lld]", shape_text(*b).c_str(), static_cast<long long>(of.dims[3]));
}

template <class T>
const T* data_of(const Tensor* b) {
  return b ? b->as<T>() : nullptr;
}

// Minimal filtering takes four times the bytes of 3x3 weights, up to nine times of those that go by steps. Beyond this they are
// transformed in each run, where that is little beside the work for so many pixels.
constexpr int64_t kMostKeptFloats = int64_t{1} << 23;
constexpr int64_t kManyPixels = 512;
// Kernels take fewer output channels than the widest vector has lanes together with their neighbours, in as many ways as rows are long.
constexpr int64_t kFewChannels = 16;

Call::Keep kept_of(const Conv2dShape& s) {
  const bool large = can_filter(s) && s.kh > 1 && s.dh == 1 && s.dw == 1 && 36 * s.sh * s.sw * s.C * s.K > kMostKeptFloats;
  if (large && s.N * s.OH * s.OW >= kManyPixels) return Call::Keep::nothing;
  // Of a strided kernel, what one shape packs and another arranges by cells may have the same size.
  const bool arranged = can_filter(s) && (s.sh > 1 || s.sw > 1);
  return s.K / s.groups >= kFewChannels && !arranged ? Call::Keep::shared : Call::Keep::own;
}

}  // namespace

template <class T>
Conv2dArgs<T> conv2d_args(const Call& call) {
  const Tensor &x = call.in(0), &y = call.in(4);
  const Conv2dShape s = check(call, x, call.in(1), y);
  check_bias(call, call.optional(2), y);
  if (const Tensor* const add = call.optional(3)) {
    call.require_dtype(*add, y.dtype, "what is added");
    call.require_same_shape(*add, y, "what is added", "the output");
    call.require_apart(*add, y, "what is added", "the output");
  }
  return {s, x.as<T>(), call.in(1).as<T>(), data_of<T>(call.optional(2)), data_of<T>(call.optional(3)), y.as<T>(), clip_of(call, 10)};
}

template Conv2dArgs<float> conv2d_args(const Call&);
template Conv2dArgs<double> conv2d_args(const Call&);

void record_conv2d(Call& call) {
  if (call.in(0).dtype == Dtype::float32) {
    const Conv2dArgs<float> args = conv2d_args<float>(call);
    call.keep = kept_of(args.shape);
    call.submit(kernels().conv2d, args);
  } else {
    call.submit(reference::conv2d<double>, conv2d_args<double>(call));
  }
}

// g, w, b|0, dx; the attributes of conv2d up to algorithm
void record_conv2d_backward_input(Call& call) {
  const Tensor &g = call.in(0), &w = call.in(1), &dx = call.in(3);
  const Tensor* b = call.optional(2);
  const Conv2dShape s = check(call, dx, w, g);
  check_bias(call, b, dx);
  if (g.dtype == Dtype::float32) {
    call.submit(kernels().conv2d_backward_input,
                Conv2dBackwardInputArgs<float>{s, g.as<float>(), w.as<float>(), data_of<float>(b), dx.as<float>()});
  } else {
    call.submit(reference::conv2d_backward_input<double>,
                Conv2dBackwardInputArgs<double>{s, g.as<double>(), w.as<double>(), data_of<double>(b), dx.as<double>()});
  }
}

// x, g, dw, db|0; the attributes of conv2d up to algorithm
void record_conv2d_backward_weight(Call& call) {
  const Tensor &x = call.in(0), &g = call.in(1), &dw = call.in(2);
  const Tensor* db = call.optional(3);
  const Conv2dShape s = check(call, x, dw, g);
  check_bias(call, db, g);
  if (g.dtype == Dtype::float32) {
    call.submit(kernels().conv2d_backward_weight,
                Conv2dBackwardWeightArgs<float>{s, x.as<float>(), g.as<float>(), dw.as<float>(), db ? db->as<float>() : nullptr});
  } else {
    call.submit(reference::conv2d_backward_weight<double>,
                Conv2dBackwardWeightArgs<double>{s, x.as<double>(), g.as<double>(), dw.as<double>(), db ? db->as<double>() : nullptr});
  }
}

}  // namespace receptive
