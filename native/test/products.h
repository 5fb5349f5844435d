// Checks for kernels that sum products: exact on small integers, within the error bound of summation on reals.
#pragma once

#include "support.h"

namespace receptive::test {

// |out - ref| <= (terms + 2) * 2^-24 * sum of |products|, cell by cell: the bound for a sum of that many rounded products in any order.
// `magnitude` is that sum, the reference run on absolute values.
inline void expect_within_summation_error(const Buffer<float>& out, const Buffer<double>& ref, const Buffer<double>& magnitude,
                                          int64_t terms, const std::string& what) {
  ASSERT_EQ(out.size(), ref.size()) << what;
  for (int64_t i = 0; i < ref.size(); ++i) {
    const double bound = static_cast<double>(terms + 2) * 0x1p-24 * magnitude[i];
    ASSERT_LE(std::fabs(out[i] - ref[i]), bound) << what << ": at " << i << ": " << out[i] << " against " << ref[i];
  }
  out.verify(what);
}

inline Buffer<double> absolute(const Buffer<double>& b) {
  Buffer<double> positive = b;
  for (int64_t i = 0; i < b.size(); ++i) positive[i] = std::fabs(b[i]);
  return positive;
}

// Sanitizers and emulation are ten to fifty times slower: a test over many shapes takes every stride-th of them there.
#if RECEPTIVE_ASAN || RECEPTIVE_TSAN || !defined(__x86_64__)
constexpr int kCaseStride = 5;
#else
constexpr int kCaseStride = 1;
#endif

}  // namespace receptive::test
