// What every kernel test uses: guarded buffers, fills, every instruction set, and the comparison with the reference.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
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

// A buffer of n elements with canaries on both sides; verify() fails the test if one was written. An AddressSanitizer build leaves them
// out, so that a read past the end is seen too. Elements start as `fill`: outputs start as NaN, so a cell the kernel forgot is seen.
template <class T>
class Buffer {
 public:
  explicit Buffer(int64_t n, T fill = poison()) : n_(n), cells_(new T[static_cast<size_t>(n) + 2 * kGuard]) {
    std::memset(cells_.get(), kCanary, kGuard * sizeof(T));
    std::fill_n(data(), n, fill);
    std::memset(data() + n, kCanary, kGuard * sizeof(T));
  }
  Buffer(const Buffer& other) : Buffer(other.n_) { std::copy_n(other.data(), n_, data()); }
  Buffer& operator=(Buffer other) {
    std::swap(n_, other.n_);
    cells_.swap(other.cells_);
    return *this;
  }
  T* data() { return cells_.get() + kGuard; }
  const T* data() const { return cells_.get() + kGuard; }
  int64_t size() const { return n_; }
  T& operator[](int64_t i) { return data()[i]; }
  const T& operator[](int64_t i) const { return data()[i]; }

  void verify(const std::string& what) const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(cells_.get());
    for (size_t i = 0; i < kGuard * sizeof(T); ++i) {
      ASSERT_EQ(bytes[i], kCanary) << what << ": wrote before the buffer";
      ASSERT_EQ(bytes[(kGuard + static_cast<size_t>(n_)) * sizeof(T) + i], kCanary) << what << ": wrote past the buffer";
    }
  }

 private:
  static constexpr size_t kGuard = RECEPTIVE_ASAN ? 0 : 64;
  static constexpr unsigned char kCanary = 0x5a;
  static T poison() {
    if constexpr (std::numeric_limits<T>::has_quiet_NaN) return std::numeric_limits<T>::quiet_NaN();
    return static_cast<T>(77);
  }
  int64_t n_;
  std::unique_ptr<T[]> cells_;
};

// Small integers: sums of products are exact in float, so direct kernels must agree with the reference to the bit.
template <class T>
void fill_integers(Buffer<T>& b, uint32_t seed, int low = -4, int high = 4) {
  std::mt19937 random(seed);
  for (int64_t i = 0; i < b.size(); ++i) b[i] = static_cast<T>(low + static_cast<int>(random() % static_cast<uint32_t>(high - low + 1)));
}

// Reals in [low, high], each exactly a float, so that the float kernel and the double reference read the same values.
template <class T>
void fill_reals(Buffer<T>& b, uint32_t seed, float low = -1, float high = 1) {
  std::mt19937 random(seed);
  for (int64_t i = 0; i < b.size(); ++i) {
    b[i] = static_cast<T>(low + (high - low) * static_cast<float>(random() >> 8) * 0x1p-24f);
  }
}

template <class T>
Buffer<double> widen(const Buffer<T>& b) {
  Buffer<double> wide(b.size());
  for (int64_t i = 0; i < b.size(); ++i) wide[i] = static_cast<double>(b[i]);
  return wide;
}

// max |out - ref| / max |ref| must be at most bound (0: the same values). NaN and infinity count as wrong unless the reference has them.
inline void expect_close(const Buffer<float>& out, const Buffer<double>& ref, double bound, const std::string& what) {
  ASSERT_EQ(out.size(), ref.size()) << what;
  double scale = 0, worst = 0;
  int64_t where = -1;
  for (int64_t i = 0; i < ref.size(); ++i) {
    if (std::isfinite(ref[i])) scale = std::max(scale, std::fabs(ref[i]));
  }
  for (int64_t i = 0; i < ref.size(); ++i) {
    const double o = out[i], r = ref[i];
    if (o == r || (std::isnan(o) && std::isnan(r))) continue;
    const double error = std::isfinite(o) && std::isfinite(r) ? std::fabs(o - r) / (scale > 0 ? scale : 1) : INFINITY;
    if (error > worst) worst = error, where = i;
  }
  EXPECT_LE(worst, bound) << what << ": worst at " << where << ": " << (where < 0 ? 0 : out[where]) << " against "
                          << (where < 0 ? 0 : ref[where]);
  out.verify(what);
}

inline bool same_bits(const Buffer<float>& a, const Buffer<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), static_cast<size_t>(a.size()) * sizeof(float)) == 0;
}

// body(table) for every instruction set this machine runs, which is also what ops record with meanwhile; for the widest alone where threads
// are watched, which is slow: work is cut alike on all.
template <class Body>
void each_isa(const Body& body) {
  const KernelTable& before = kernels();
  int count = 0;
  const KernelTable* const* tables = runnable_tables(&count);
  ASSERT_GT(count, 0);
  if (RECEPTIVE_TSAN) count = 1;
  for (int i = 0; i < count; ++i) {
    SCOPED_TRACE(tables[i]->isa);
    use_kernels(*tables[i]);
    body(*tables[i]);
  }
  use_kernels(before);
}

// Runs a kernel on 1, 2 and 3 threads; `output` must come out as the same bits each time, and stays as the last run left it.
template <class Args>
void run_on_threads(void (*kernel)(const Args&, Context&), const Args& args, Buffer<float>& output, const std::string& what) {
  const int before = Pool::shared().threads();
  Buffer<float> first(0);
  const Buffer<float> initial = output;
  for (int threads = 1; threads <= 3; ++threads) {
    Pool::shared().set_threads(threads);
    KernelContext context;
    context.begin();
    std::memcpy(output.data(), initial.data(), static_cast<size_t>(output.size()) * sizeof(float));
    kernel(args, context);
    if (threads == 1) {
      first = output;
    } else {
      EXPECT_TRUE(same_bits(output, first)) << what << ": " << threads << " threads give other bits than one";
    }
  }
  Pool::shared().set_threads(before);
}

}  // namespace receptive::test
