#include "augment.h"

#include <algorithm>
#include <cmath>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace reference {

namespace {

// Where a coordinate lies once the border is folded away: in [0, size - 1], or as it is where zeros are around.
template <class T>
T folded(T at, int64_t size, Border border) {
  const T last = static_cast<T>(size - 1);
  if (border == Border::zeros) return at;
  if (border == Border::reflect && std::isfinite(at) && last > 0) {
    at = std::fmod(std::fabs(at), 2 * last);
    if (at > last) at = 2 * last - at;
  }
  return at > 0 ? std::min(at, last) : 0;
}

template <class T>
T cell(const AugmentArgs<T>& a, int64_t n, int64_t i, int64_t j, int64_t c) {
  const int64_t at = ((n * a.H + i) * a.W + j) * a.C + c;
  return a.x ? a.x[at] : static_cast<T>(a.bytes[at]) / 255;
}

// Between the four cells around (row, column) of an image; cells outside count as 0.
template <class T>
T sample(const AugmentArgs<T>& a, int64_t image, T row, T column, int64_t c) {
  row = folded(row, a.H, a.border);
  column = folded(column, a.W, a.border);
  if (!(row > -1 && row < static_cast<T>(a.H) && column > -1 && column < static_cast<T>(a.W))) return 0;
  T value = 0;
  for (int64_t p = 0; p < 2; ++p) {
    for (int64_t q = 0; q < 2; ++q) {
      const int64_t i = static_cast<int64_t>(std::floor(row)) + p, j = static_cast<int64_t>(std::floor(column)) + q;
      const T weight = (1 - std::fabs(row - static_cast<T>(i))) * (1 - std::fabs(column - static_cast<T>(j)));
      if (weight > 0 && i >= 0 && i < a.H && j >= 0 && j < a.W) value += weight * cell(a, image, i, j, c);
    }
  }
  return value;
}

template <class T>
T grey(const T* v, int64_t C) {
  if (C == 3) return static_cast<T>(0.299) * v[0] + static_cast<T>(0.587) * v[1] + static_cast<T>(0.114) * v[2];
  T sum = 0;
  for (int64_t c = 0; c < C; ++c) sum += v[c];
  return sum / static_cast<T>(C);
}

template <class T>
T clamp(T v) {
  return std::min(std::max(v, T{0}), T{1});
}

}  // namespace

template <class T>
void augment(const AugmentArgs<T>& a, Context& context) {
  const int64_t cells = a.OH * a.OW, C = a.C;
  const T nothing[kImageChanges] = {0, 1, 0, 0, 0, 1, 1, 1, 1};
  context.parallel(a.N, [&](int64_t n, int) {
    const T* change = a.changes ? a.changes + n * kImageChanges : nothing;
    T* y = a.y + n * cells * C;
    const int64_t image = image_of(a, n, context);
    if (image < 0) {
      std::fill(y, y + cells * C, T{0});
      return;
    }
    const auto at = [&](int64_t place, int64_t i, int64_t j) {
      return change[place] + change[place + 1] * static_cast<T>(i) + change[place + 2] * static_cast<T>(j);
    };
    for (int64_t k = 0; k < cells * C; ++k) {
      const int64_t i = k / C / a.OW, j = k / C % a.OW;
      y[k] = sample(a, image, at(kRow, i, j), at(kColumn, i, j), k % C);
    }

    if (const T factor = change[kBrightness]; factor != 1) {
      for (int64_t k = 0; k < cells * C; ++k) y[k] = clamp(factor * y[k]);
    }
    if (const T factor = change[kContrast]; factor != 1) {
      T sum = 0;
      for (int64_t k = 0; k < cells; ++k) sum += grey(y + k * C, C);
      const T mean = sum / static_cast<T>(cells);
      for (int64_t k = 0; k < cells * C; ++k) y[k] = clamp(mean + factor * (y[k] - mean));
    }
    if (const T factor = change[kSaturation]; factor != 1) {
      for (int64_t k = 0; k < cells; ++k) {
        const T g = grey(y + k * C, C);
        for (int64_t c = 0; c < C; ++c) y[k * C + c] = clamp(g + factor * (y[k * C + c] - g));
      }
    }

    for (int64_t k = 0; k < cells * C; ++k) {
      const int64_t row = k / C / a.OW, column = k / C % a.OW;
      const T i = static_cast<T>(row), j = static_cast<T>(column);
      y[k] = (a.scale ? a.scale[k % C] : 1) * y[k] + (a.shift ? a.shift[k % C] : 0);
      if (i >= change[kCut] && j >= change[kCut + 1] && i < change[kCut + 2] && j < change[kCut + 3]) y[k] = 0;
    }
  });
}

template void augment<double>(const AugmentArgs<double>&, Context&);

}  // namespace reference

namespace {

void require_channels(const Call& call, const Tensor* t, const Tensor& x, const Tensor& y, const char* what) {
  if (!t) return;
  call.require_dtype(*t, y.dtype, what);
  call.require_rank(*t, 1, what);
  call.require(t->dims[0] == x.dims[3], "%s has %lld elements for %lld channels", what, static_cast<long long>(t->dims[0]),
               static_cast<long long>(x.dims[3]));
  call.require_apart(*t, y, what, "output");
}

template <class T>
AugmentArgs<T> args_of(const Call& call) {
  const Tensor &x = call.in(0), *changes = call.optional(1), *scale = call.optional(2), *shift = call.optional(3), &y = call.in(4);
  const Tensor* index = call.optional(5);
  const bool bytes = x.dtype == Dtype::uint8;
  return {y.dims[0],
          x.dims[0],
          x.dims[1],
          x.dims[2],
          x.dims[3],
          y.dims[1],
          y.dims[2],
          bytes ? nullptr : x.as<T>(),
          bytes ? x.as<uint8_t>() : nullptr,
          index ? index->as<int32_t>() : nullptr,
          changes ? changes->as<T>() : nullptr,
          scale ? scale->as<T>() : nullptr,
          shift ? shift->as<T>() : nullptr,
          y.as<T>(),
          static_cast<Border>(call.integer(0, 0, static_cast<int64_t>(Border::count) - 1))};
}

}  // namespace

// x uint8 or as y [V, H, W, C], changes [N, kImageChanges]|0, scale [C]|0, shift [C]|0, y float [N, OH, OW, C], index int32 [N]|0; border.
// Image n of y is made of image index[n] of x; without an index V = N, and it is made of image n. A wrong index fails the command and gives
// an image of zeros.
void record_augment(Call& call) {
  const Tensor &x = call.in(0), *changes = call.optional(1), &y = call.in(4), *index = call.optional(5);
  call.require_float(y, "output");
  if (x.dtype != Dtype::uint8) call.require_dtype(x, y.dtype, "input");
  call.require_rank(x, 4, "input");
  call.require_rank(y, 4, "output");
  if (index) {
    call.require_dtype(*index, Dtype::int32, "index");
    call.require_rank(*index, 1, "index");
    call.require_apart(*index, y, "index", "output");
  }
  const int64_t N = index ? index->dims[0] : x.dims[0];
  if (y.dims[0] != N || y.dims[3] != x.dims[3])
    call.fail("output has shape %s, expected the images and channels of input %s", shape_text(y).c_str(), shape_text(x).c_str());
  call.require(x.dims[1] > 0 && x.dims[2] > 0, "images of %lld x %lld cells", static_cast<long long>(x.dims[1]),
               static_cast<long long>(x.dims[2]));
  constexpr int64_t kMostCells = int64_t{1} << 24;  // so that coordinates are exact in float32
  call.require(std::max({x.dims[1], x.dims[2], y.dims[1], y.dims[2]}) <= kMostCells, "images of more than %lld cells along an axis",
               static_cast<long long>(kMostCells));
  call.require_apart(x, y, "input", "output");
  if (changes) {
    call.require_dtype(*changes, y.dtype, "changes");
    call.require_rank(*changes, 2, "changes");
    if (changes->dims[0] != N || changes->dims[1] != kImageChanges)
      call.fail("changes has shape %s, expected [%lld,%d]", shape_text(*changes).c_str(), static_cast<long long>(N),
                static_cast<int>(kImageChanges));
    call.require_apart(*changes, y, "changes", "output");
  } else {
    if (y.dims[1] != x.dims[1] || y.dims[2] != x.dims[2])
      call.fail("output has shape %s, expected that of input %s without changes", shape_text(y).c_str(), shape_text(x).c_str());
  }
  require_channels(call, call.optional(2), x, y, "scale");
  require_channels(call, call.optional(3), x, y, "shift");
  if (y.dtype == Dtype::float32) {
    call.submit(kernels().augment, args_of<float>(call));
  } else {
    call.submit(reference::augment<double>, args_of<double>(call));
  }
}

}  // namespace receptive
