// If first is 0 and x holds a number that is not finite, first becomes 2 place, plus 1 where one of them is NaN: of many places that are
// looked at one after the other, the first where something was wrong, told by one number.
#include <cstring>
#include <type_traits>

#include "chunks.h"
#include "op.h"

namespace receptive {

namespace {

template <class T>
struct FindNonfiniteArgs {
  int64_t size;
  const T* x;
  int32_t* first;
  int32_t place;
};

// By bits: without the sign, infinity is the greatest of the finite numbers' successors, and NaN is anything above.
template <class T>
void find_nonfinite(const FindNonfiniteArgs<T>& a, Context& context) {
  using Bits = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;
  constexpr Bits kMagnitude = static_cast<Bits>(~(Bits{1} << (8 * sizeof(T) - 1)));
  constexpr Bits kInfinity = sizeof(T) == 4 ? static_cast<Bits>(0x7f800000) : static_cast<Bits>(0x7ff0000000000000);
  if (*a.first != 0) return;
  const int64_t chunks = (a.size + kChunk - 1) / kChunk;
  Bits* greatest = static_cast<Bits*>(context.scratch(static_cast<size_t>(chunks) * sizeof(Bits)));
  for_chunks(context, a.size, kChunk, [&](int64_t begin, int64_t end) {
    Bits most = 0;
    for (int64_t i = begin; i < end; ++i) {
      Bits bits;
      std::memcpy(&bits, a.x + i, sizeof bits);
      bits &= kMagnitude;
      most = bits > most ? bits : most;
    }
    greatest[begin / kChunk] = most;
  });
  Bits most = 0;
  for (int64_t c = 0; c < chunks; ++c) most = greatest[c] > most ? greatest[c] : most;
  if (most >= kInfinity) *a.first = 2 * a.place + (most > kInfinity);
}

}  // namespace

// x, first int32 of one element; place from 1.
void record_find_nonfinite(Call& call) {
  call.changes = 1u << 1;
  const Tensor &x = call.in(0), &first = call.in(1);
  call.require_float(x, "input");
  call.require_dtype(first, Dtype::int32, "first");
  call.require(first.size() == 1, "first has shape %s, expected one element", shape_text(first).c_str());
  call.require_apart(x, first, "input", "first");
  const auto place = static_cast<int32_t>(call.integer(0, 1, (1 << 30) - 1));
  if (x.dtype == Dtype::float32) {
    call.submit(find_nonfinite<float>, FindNonfiniteArgs<float>{x.size(), x.as<float>(), first.as<int32_t>(), place});
  } else {
    call.submit(find_nonfinite<double>, FindNonfiniteArgs<double>{x.size(), x.as<double>(), first.as<int32_t>(), place});
  }
}

}  // namespace receptive
