// Checks for kernels that sum products: exact on small integers, within the error bound of summation on reals.
#pragma once

#include "support.h"

namespace receptive::test {

// |out - ref| <= (terms + 2) * 2^-24 * sum of |products|, cell by cell: the bound for a sum of that many rounded products in any order.
// `magnitude` is that sum, the reference run on absolute values.
void expect_within_summation_error(const Buffer<float>& out, const Buffer<double>& ref, const Buffer<double>& magnitude, int64_t terms,
                                   const std::string& what);

Buffer<double> absolute(const Buffer<double>& b);

// Sanitizers and emulation are ten to fifty times slower: a test over many shapes takes every stride-th of them there.
#if RECEPTIVE_ASAN || RECEPTIVE_TSAN || !defined(__x86_64__)
constexpr int kCaseStride = 5;
#else
constexpr int kCaseStride = 1;
#endif

}  // namespace receptive::test
