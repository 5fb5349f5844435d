#include "support.h"

#include <algorithm>

namespace receptive::test {

namespace {

constexpr unsigned char kCanary = 0x5a;

}  // namespace

template <class T>
Buffer<T>::Buffer(int64_t n, T fill) : n_(n), cells_(new T[static_cast<size_t>(n) + 2 * kGuard]) {
  std::memset(cells_.get(), kCanary, kGuard * sizeof(T));
  std::fill_n(data(), n, fill);
  std::memset(data() + n, kCanary, kGuard * sizeof(T));
}

template <class T>
Buffer<T>::Buffer(const Buffer& other) : Buffer(other.n_) {
  std::copy_n(other.data(), n_, data());
}

template <class T>
Buffer<T>& Buffer<T>::operator=(Buffer other) {
  std::swap(n_, other.n_);
  cells_.swap(other.cells_);
  return *this;
}

template <class T>
Buffer<T>::~Buffer() = default;

template <class T>
void Buffer<T>::verify(const std::string& what) const {
  const auto* bytes = reinterpret_cast<const unsigned char*>(cells_.get());
  for (size_t i = 0; i < kGuard * sizeof(T); ++i) {
    ASSERT_EQ(bytes[i], kCanary) << what << ": wrote before the buffer";
    ASSERT_EQ(bytes[(kGuard + static_cast<size_t>(n_)) * sizeof(T) + i], kCanary) << what << ": wrote past the buffer";
  }
}

template class Buffer<float>;
template class Buffer<double>;

void fill_integers(Buffer<float>& b, uint32_t seed, int low, int high) {
  std::mt19937 random(seed);
  for (int64_t i = 0; i < b.size(); ++i)
    b[i] = static_cast<float>(low + static_cast<int>(random() % static_cast<uint32_t>(high - low + 1)));
}

template <class T>
void fill_reals(Buffer<T>& b, uint32_t seed, float low, float high) {
  std::mt19937 random(seed);
  for (int64_t i = 0; i < b.size(); ++i) {
    b[i] = static_cast<T>(low + (high - low) * static_cast<float>(random() >> 8) * 0x1p-24f);
  }
}

template void fill_reals(Buffer<float>&, uint32_t, float, float);
template void fill_reals(Buffer<double>&, uint32_t, float, float);

Buffer<double> widen(const Buffer<float>& b) {
  Buffer<double> wide(b.size());
  for (int64_t i = 0; i < b.size(); ++i) wide[i] = static_cast<double>(b[i]);
  return wide;
}

void expect_close(const Buffer<float>& out, const Buffer<double>& ref, double bound, const std::string& what) {
  ASSERT_EQ(out.size(), ref.size()) << what;
  if (!kAgainstReference) return out.verify(what);
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

bool same_bits(const Buffer<float>& a, const Buffer<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), static_cast<size_t>(a.size()) * sizeof(float)) == 0;
}

void each_isa(const std::function<void(const KernelTable&)>& body) {
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

void run_on_threads(const std::function<void(Context&)>& run, Buffer<float>& output, const std::string& what) {
  const int before = Pool::shared().threads();
  Buffer<float> first(0);
  const Buffer<float> initial = output;
  for (int threads = 1; threads <= 3; ++threads) {
    Pool::shared().set_threads(threads);
    KernelContext context;
    context.begin();
    std::memcpy(output.data(), initial.data(), static_cast<size_t>(output.size()) * sizeof(float));
    run(context);
    if (threads == 1) {
      first = output;
    } else {
      EXPECT_TRUE(same_bits(output, first)) << what << ": " << threads << " threads give other bits than one";
    }
  }
  Pool::shared().set_threads(before);
}

}  // namespace receptive::test
