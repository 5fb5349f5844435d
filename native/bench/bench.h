// What the benchmarks share: buffers, the peak, and how a kernel's time is taken and quoted.
#pragma once

#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <random>
#include <vector>

#include "../kernels/table.h"
#include "../ops/peak.h"
#include "../runtime/cpu.h"
#include "../runtime/kernel_context.h"
#include "../runtime/pool.h"
#include "../runtime/system_memory.h"

namespace receptive::bench {

inline double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Memory as tensors have it, filled with values in [-1, 1).
class Values {
 public:
  explicit Values(int64_t n) : data_(allocate(n), {n}) {
    std::mt19937 random(static_cast<uint32_t>(n));
    for (int64_t i = 0; i < n; ++i) data_.get()[i] = static_cast<float>(random() >> 8) * 0x1p-23f - 1;
  }
  float* get() const { return data_.get(); }

 private:
  struct Free {
    int64_t n;
    void operator()(float* p) const { system_release(p, static_cast<size_t>(n) * sizeof(float)); }
  };
  static float* allocate(int64_t n) {
    void* const p = system_allocate(static_cast<size_t>(n) * sizeof(float));
    if (p == nullptr) throw std::bad_alloc();
    return static_cast<float*>(p);
  }
  std::unique_ptr<float, Free> data_;
};

// FLOP/s of a loop of multiply-adds on this many threads.
inline double peak(int threads) {
  Pool::shared().set_threads(threads);
  return measure_peak();
}

struct Figure {
  double seconds;  // of the best run, as the peak is of its best
  double of_peak;  // its multiply-adds against the peak measured just before
};

// Times run() under Google Benchmark's loop and adds the counters GFLOP/s and %peak.
template <class Run>
Figure measure(benchmark::State& state, int threads, double flops, const Run& run) {
  const double best = peak(threads);
  KernelContext context;
  double shortest = 1e9;
  for (auto _ : state) {
    const double start = seconds();
    context.begin();
    run(context);
    const double time = seconds() - start;
    shortest = std::min(shortest, time);
    state.SetIterationTime(time);
  }
  const Figure figure{shortest, flops / shortest / best};
  state.counters["best_us"] = figure.seconds * 1e6;
  state.counters["GFLOP/s"] = flops / figure.seconds / 1e9;
  state.counters["%peak"] = 100 * figure.of_peak;
  return figure;
}

}  // namespace receptive::bench
