#include "balance.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "bench.h"

namespace receptive::bench {

namespace {

constexpr int kTimes = 9;  // each chunk is taken at its shortest

// Runs chunks one after the other and writes down how long each took.
class Timed final : public Context {
 public:
  explicit Timed(int slots) : slots_(slots) {}

  void begin() {
    memory_.begin();
    call_ = 0;
    inside_ = 0;
  }
  // Time spent in chunks since begin().
  double inside() const { return inside_; }
  // Of each call of parallel(), of each of its chunks: the shortest time so far.
  const std::vector<std::vector<double>>& calls() const { return calls_; }

  int threads() const noexcept override { return slots_; }
  void* scratch(size_t bytes) override { return memory_.scratch(bytes); }
  void* keep(size_t bytes, bool* made) override {
    *made = false;
    return scratch(bytes);
  }
  bool keeps() const noexcept override { return false; }
  bool always_keeps() const noexcept override { return false; }
  void fail(const char* format, ...) noexcept override { std::fprintf(stderr, "a kernel failed: %s\n", format); }

 protected:
  void run(int64_t chunks, Chunk chunk, const void* body) noexcept override {
    const size_t n = static_cast<size_t>(chunks);
    if (call_ == calls_.size()) calls_.emplace_back(n, 1e9);
    std::vector<double>& shortest = calls_[call_++];
    for (size_t i = 0; i < n; ++i) {
      const double start = seconds();
      chunk(body, static_cast<int64_t>(i), 0);
      const double time = seconds() - start;
      shortest[i] = std::min(shortest[i], time);
      inside_ += time;
    }
  }

 private:
  KernelContext memory_;
  int slots_;
  size_t call_ = 0;
  double inside_ = 0;
  std::vector<std::vector<double>> calls_;
};

// When the last of so many threads is done: each has a share of consecutive chunks, and takes from those after its own when that is empty.
double dealt(const std::vector<double>& chunks, int threads) {
  const size_t n = chunks.size(), slots = std::min(n, static_cast<size_t>(threads));
  std::vector<size_t> next(slots), end(slots);
  std::vector<double> clock(slots, 0.0);
  for (size_t i = 0; i < slots; ++i) next[i] = i * n / slots, end[i] = (i + 1) * n / slots;
  for (size_t left = n; left > 0; --left) {
    const size_t idle = static_cast<size_t>(std::min_element(clock.begin(), clock.end()) - clock.begin());
    size_t share = idle;
    while (next[share] == end[share]) share = (share + 1) % slots;
    clock[idle] += chunks[next[share]++];
  }
  return *std::max_element(clock.begin(), clock.end());
}

}  // namespace

Balance balance_of(const std::function<void(Context&)>& run, const std::vector<int>& threads) {
  Timed context(*std::max_element(threads.begin(), threads.end()));
  double serial = 1e9;
  for (int i = 0; i < kTimes; ++i) {
    const double start = seconds();
    context.begin();
    run(context);
    serial = std::min(serial, seconds() - start - context.inside());
  }
  double sum = 0;
  int64_t most = 1;
  for (const auto& chunks : context.calls()) {
    sum = std::accumulate(chunks.begin(), chunks.end(), sum);
    most = std::max(most, static_cast<int64_t>(chunks.size()));
  }
  Balance balance{most, serial / (serial + sum), {}};
  for (const int n : threads) {
    double time = serial;
    for (const auto& chunks : context.calls()) time += dealt(chunks, n);
    balance.speedup.push_back((serial + sum) / time);
  }
  return balance;
}

}  // namespace receptive::bench
