// A tensor as the native side sees it: a checked description of a piece of memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace receptive {

enum class Dtype : int32_t { float32 = 0, float64 = 1, int32 = 2, uint8 = 3 };
constexpr int kDtypes = 4;
constexpr int kMaxRank = 6;

constexpr size_t size_of(Dtype dtype) { return dtype == Dtype::float64 ? 8 : dtype == Dtype::uint8 ? 1 : 4; }
const char* name_of(Dtype dtype);

// Row-major and contiguous; rank 0 is a scalar of one element; a dimension may be 0. The sizes were checked when it was made: every
// product of dimensions fits in an int64_t, and data holds size() elements.
struct Tensor {
  void* data = nullptr;
  Dtype dtype = Dtype::float32;
  int rank = 0;
  int64_t dims[kMaxRank] = {};

  int64_t size() const {
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) n *= dims[i];
    return n;
  }
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

template <class T>
struct DtypeOf;
template <>
struct DtypeOf<float> {
  static constexpr Dtype value = Dtype::float32;
};
template <>
struct DtypeOf<double> {
  static constexpr Dtype value = Dtype::float64;
};
template <>
struct DtypeOf<int32_t> {
  static constexpr Dtype value = Dtype::int32;
};
template <>
struct DtypeOf<uint8_t> {
  static constexpr Dtype value = Dtype::uint8;
};

}  // namespace receptive
