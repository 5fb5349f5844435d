// y = value.
#include <algorithm>
#include <cmath>
#include <limits>

#include "chunks.h"
#include "op.h"

namespace receptive {

namespace {

template <class T>
struct FillArgs {
  int64_t size;
  T* y;
  T value;
};

template <class T>
void fill(const FillArgs<T>& a, Context& context) {
  for_chunks(context, a.size, 4 * kChunk, [&](int64_t begin, int64_t end) { std::fill(a.y + begin, a.y + end, a.value); });
}

template <class T>
void submit(Call& call, const Tensor& y) {
  double value = call.number(0);
  if constexpr (std::numeric_limits<T>::is_integer) {
    value = static_cast<double>(call.integer(0, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  }
  call.submit(fill<T>, FillArgs<T>{y.size(), y.as<T>(), static_cast<T>(value)});
}

}  // namespace

// y; value, which an integer y must be able to hold.
void record_fill(Call& call) {
  call.overwrites = 1u << 0;
  const Tensor& y = call.in(0);
  switch (y.dtype) {
    case Dtype::float32: return submit<float>(call, y);
    case Dtype::float64: return submit<double>(call, y);
    case Dtype::int32: return submit<int32_t>(call, y);
    case Dtype::uint8: return submit<uint8_t>(call, y);
  }
}

}  // namespace receptive
