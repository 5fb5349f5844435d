// What every kernel test uses: guarded buffers, fills, every instruction set, and the comparison with the reference.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../kernels/table.h"
#include "../runtime/kernel_context.h"
#include "../runtime/pool.h"
#include "../runtime/sanitizers.h"

namespace receptive::test {

// What is longer than a line is compiled once, in support.cpp: sanitizers make much of it.

// A buffer of n elements, float or double, with canaries on both sides; verify() fails the test if one was written. An AddressSanitizer
// build leaves them out, so that a read past the end is seen too. Elements start as `fill`: outputs start as NaN, so a cell the kernel
// forgot is seen.
template <class T>
class Buffer {
 public:
  explicit Buffer(int64_t n, T fill = std::numeric_limits<T>::quiet_NaN());
  Buffer(const Buffer& other);
  Buffer& operator=(Buffer other);
  ~Buffer();
  T* data() { return cells_.get() + kGuard; }
  const T* data() const { return cells_.get() + kGuard; }
  int64_t size() const { return n_; }
  T& operator[](int64_t i) { return data()[i]; }
  const T& operator[](int64_t i) const { return data()[i]; }

  void verify(const std::string& what) const;

 private:
  static constexpr size_t kGuard = RECEPTIVE_ASAN ? 0 : 64;
  int64_t n_;
  std::unique_ptr<T[]> cells_;
};

// Small integers: sums of products are exact in float, so direct kernels must agree with the reference to the bit.
void fill_integers(Buffer<float>& b, uint32_t seed, int low = -4, int high = 4);

// Reals in [low, high], each exactly a float, so that the float kernel and the double reference read the same values.
template <class T>
void fill_reals(Buffer<T>& b, uint32_t seed, float low = -1, float high = 1);

Buffer<double> widen(const Buffer<float>& b);

// Where threads are watched, which is slow, results are compared with those of other numbers of threads, not with the reference: plain
// loops on one thread. All other builds do that.
constexpr bool kAgainstReference = !RECEPTIVE_TSAN;

// max |out - ref| / max |ref| must be at most bound (0: the same values). NaN and infinity count as wrong unless the reference has them.
void expect_close(const Buffer<float>& out, const Buffer<double>& ref, double bound, const std::string& what);

bool same_bits(const Buffer<float>& a, const Buffer<float>& b);

// body(table) for every instruction set this machine runs, which is also what ops record with meanwhile; for the widest alone where threads
// are watched, which is slow: work is cut alike on all.
void each_isa(const std::function<void(const KernelTable&)>& body);

// As run_on_threads, of run(context).
void run_on_threads(const std::function<void(Context&)>& run, Buffer<float>& output, const std::string& what);

// Runs a kernel on 1, 2 and 3 threads; `output` must come out as the same bits each time, and stays as the last run left it.
template <class Args>
void run_on_threads(void (*kernel)(const Args&, Context&), const Args& args, Buffer<float>& output, const std::string& what) {
  run_on_threads([&](Context& context) { kernel(args, context); }, output, what);
}

}  // namespace receptive::test
