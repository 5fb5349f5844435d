#include "binary.h"

#include <cmath>

#include "../kernels/table.h"
#include "chunks.h"
#include "op.h"

namespace receptive {

namespace {

template <class T>
T apply(Binary kind, T a, T b) {
  switch (kind) {
    case Binary::add: return a + b;
    case Binary::sub: return a - b;
    case Binary::mul: return a * b;
    case Binary::div: return a / b;
    case Binary::max: return a > b || a != a ? a : b;  // NaN where either is
    case Binary::min: return a < b || a != a ? a : b;
    case Binary::pow: return std::pow(a, b);
    case Binary::equal: return a == b;
    case Binary::greater: return a > b;
    case Binary::greater_equal: return a >= b;
    case Binary::count: break;
  }
  return 0;
}

int32_t wrapped(int64_t value) { return static_cast<int32_t>(static_cast<uint32_t>(value)); }

int32_t integer_power(int32_t base, int32_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  uint32_t result = 1, factor = static_cast<uint32_t>(base);
  for (; exponent > 0; exponent >>= 1, factor *= factor) {
    if (exponent & 1) result *= factor;
  }
  return static_cast<int32_t>(result);
}

template <>
int32_t apply(Binary kind, int32_t a, int32_t b) {
  const int64_t p = a, q = b;
  switch (kind) {
    case Binary::add: return wrapped(p + q);
    case Binary::sub: return wrapped(p - q);
    case Binary::mul: return wrapped(p * q);
    case Binary::div: return q == 0 ? 0 : wrapped(p / q);
    case Binary::max: return a > b ? a : b;
    case Binary::min: return a < b ? a : b;
    case Binary::pow: return integer_power(a, b);
    case Binary::equal: return a == b;
    case Binary::greater: return a > b;
    case Binary::greater_equal: return a >= b;
    case Binary::count: break;
  }
  return 0;
}

}  // namespace

namespace reference {

template <class T>
void binary(const BinaryArgs<T>& a, Context& context) {
  int64_t size = 1;
  for (int d = 0; d < a.rank; ++d) size *= a.dims[d];
  for_chunks(context, size, kChunk, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t at_a = 0, at_b = 0, rest = i;
      for (int d = a.rank - 1; d >= 0; --d) {
        const int64_t index = rest % a.dims[d];
        rest /= a.dims[d];
        at_a += index * a.a_strides[d];
        at_b += index * a.b_strides[d];
      }
      a.y[i] = apply(a.kind, a.a[at_a], a.b[at_b]);
    }
  });
}

template void binary<double>(const BinaryArgs<double>&, Context&);
template void binary<int32_t>(const BinaryArgs<int32_t>&, Context&);

}  // namespace reference

namespace {

// Strides that walk t over the indices of a tensor of `rank` dimensions, t's own being the last ones: 0 where t is repeated.
void broadcast_strides(const Tensor& t, int rank, int64_t* strides) {
  int64_t stride = 1;
  for (int i = rank - 1; i >= 0; --i) {
    const int own = i - (rank - t.rank);
    const int64_t dim = own >= 0 ? t.dims[own] : 1;
    strides[i] = dim == 1 ? 0 : stride;
    stride *= dim;
  }
}

template <class T>
BinaryArgs<T> args_of(const Call& call, Binary kind) {
  const Tensor &a = call.in(0), &b = call.in(1), &y = call.in(2);
  int64_t dims[kMaxRank], strides[2][kMaxRank];
  std::copy_n(y.dims, y.rank, dims);
  broadcast_strides(a, y.rank, strides[0]);
  broadcast_strides(b, y.rank, strides[1]);
  BinaryArgs<T> args{kind, coalesce<2>(y.rank, dims, strides), {}, {}, {}, a.as<T>(), b.as<T>(), y.as<T>()};
  std::copy_n(dims, args.rank, args.dims);
  std::copy_n(strides[0], args.rank, args.a_strides);
  std::copy_n(strides[1], args.rank, args.b_strides);
  return args;
}

}  // namespace

// a, b, y; kind. y may be a or b.
void record_binary(Call& call) {
  call.overwrites = 1u << 2;
  const Tensor &a = call.in(0), &b = call.in(1), &y = call.in(2);
  const Binary kind = static_cast<Binary>(call.integer(0, 0, static_cast<int64_t>(Binary::count) - 1));
  call.require(a.dtype != Dtype::uint8, "uint8 has no arithmetic: cast it first");
  call.require_dtype(b, a.dtype, "second input");
  call.require_dtype(y, a.dtype, "output");
  bool fits = y.rank == std::max(a.rank, b.rank);
  for (int i = 1; fits && i <= y.rank; ++i) {
    const int64_t da = i <= a.rank ? a.dims[a.rank - i] : 1, db = i <= b.rank ? b.dims[b.rank - i] : 1;
    fits = (da == db || da == 1 || db == 1) && y.dims[y.rank - i] == (da == 1 ? db : da);
  }
  if (!fits) {
    call.fail("shapes %s and %s do not broadcast to %s", shape_text(a).c_str(), shape_text(b).c_str(), shape_text(y).c_str());
  }
  switch (a.dtype) {
    case Dtype::float32: return call.submit(kernels().binary, args_of<float>(call, kind));
    case Dtype::float64: return call.submit(reference::binary<double>, args_of<double>(call, kind));
    default: return call.submit(reference::binary<int32_t>, args_of<int32_t>(call, kind));
  }
}

}  // namespace receptive
