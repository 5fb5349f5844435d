// y = scale x + shift, from any dtype to any other. Computed in double and rounded once; an integer output takes the nearest integer
// (ties to even) within its range, and 0 for NaN. Where nothing changes it is a copy, of the bits: negative zeros and denormals stay.
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "chunks.h"
#include "op.h"

namespace receptive {

namespace {

struct CastArgs {
  int64_t size;
  const void* x;
  void* y;
  double scale;
  double shift;
};

template <class To>
To convert(double value) {
  if constexpr (std::is_integral_v<To>) {
    constexpr double low = std::numeric_limits<To>::min(), high = std::numeric_limits<To>::max();
    if (value != value) return 0;
    return static_cast<To>(std::lrint(value < low ? low : value > high ? high : value));
  } else {
    return static_cast<To>(value);
  }
}

template <class From, class To>
void cast(const CastArgs& a, Context& context) {
  const From* x = static_cast<const From*>(a.x);
  To* y = static_cast<To*>(a.y);
  if constexpr (std::is_same_v<From, uint8_t>) {  // images: every answer is known beforehand
    To table[256];
    for (int i = 0; i < 256; ++i) table[i] = convert<To>(a.scale * i + a.shift);
    for_chunks(context, a.size, kChunk, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) y[i] = table[x[i]];
    });
  } else {
    for_chunks(context, a.size, kChunk, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) y[i] = convert<To>(a.scale * static_cast<double>(x[i]) + a.shift);
    });
  }
}

void copy_bytes(const CastArgs& a, Context& context) {
  if (a.x == a.y) return;
  for_chunks(context, a.size, 4 * kChunk, [&](int64_t begin, int64_t end) {
    std::memcpy(static_cast<char*>(a.y) + begin, static_cast<const char*>(a.x) + begin, static_cast<size_t>(end - begin));
  });
}

using Kernel = void (*)(const CastArgs&, Context&);

template <class From>
Kernel to(Dtype dtype) {
  switch (dtype) {
    case Dtype::float32: return cast<From, float>;
    case Dtype::float64: return cast<From, double>;
    case Dtype::int32: return cast<From, int32_t>;
    case Dtype::uint8: return cast<From, uint8_t>;
  }
  return nullptr;
}

Kernel kernel_of(Dtype from, Dtype dtype) {
  switch (from) {
    case Dtype::float32: return to<float>(dtype);
    case Dtype::float64: return to<double>(dtype);
    case Dtype::int32: return to<int32_t>(dtype);
    case Dtype::uint8: return to<uint8_t>(dtype);
  }
  return nullptr;
}

}  // namespace

// x, y; scale, shift. y may be x.
void record_cast(Call& call) {
  call.overwrites = 1u << 1;
  const Tensor &x = call.in(0), &y = call.in(1);
  call.require_same_shape(y, x, "output", "input");
  if (x.dtype != y.dtype) call.require_apart(x, y, "input", "output");
  const double scale = call.number(0), shift = call.number(1);
  if (x.dtype == y.dtype && scale == 1 && shift == 0) {
    call.submit(copy_bytes, CastArgs{x.size() * static_cast<int64_t>(size_of(x.dtype)), x.data, y.data, 1, 0});
  } else {
    call.submit(kernel_of(x.dtype, y.dtype), CastArgs{x.size(), x.data, y.data, scale, shift});
  }
}

}  // namespace receptive
