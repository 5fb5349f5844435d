// Layers of known networks: each kernel alone, on one thread and on two, against the multiply-add peak of the same moment.
#include <cstdio>
#include <map>
#include <string>

#include "balance.h"
#include "bench.h"

namespace receptive::bench {

namespace {

struct Layer {
  const char* name;
  int64_t N, C, H, W, K, kernel, stride, padding, groups, dilation = 1;
};

// As in the peer benchmarks.
const Layer layers[] = {
    {"resnet50 conv1 7x7s2 3->64 224", 1, 3, 224, 224, 64, 7, 2, 3, 1},
    {"1x1 64->64 56x56", 1, 64, 56, 56, 64, 1, 1, 0, 1},
    {"3x3 64->64 56x56", 1, 64, 56, 56, 64, 3, 1, 1, 1},
    {"3x3 128->128 28x28", 1, 128, 28, 28, 128, 3, 1, 1, 1},
    {"3x3 256->256 14x14", 1, 256, 14, 14, 256, 3, 1, 1, 1},
    {"3x3 512->512 7x7", 1, 512, 7, 7, 512, 3, 1, 1, 1},
    {"1x1 1024->256 14x14", 1, 1024, 14, 14, 256, 1, 1, 0, 1},
    {"1x1 64->256 56x56 b8", 8, 64, 56, 56, 256, 1, 1, 0, 1},
    {"1x1 512->128 28x28 b8", 8, 512, 28, 28, 128, 1, 1, 0, 1},
    {"1x1s2 256->512 56x56", 1, 256, 56, 56, 512, 1, 2, 0, 1},
    {"3x3s2 128->128 56x56", 1, 128, 56, 56, 128, 3, 2, 1, 1},
    {"depthwise 3x3s2 96 112x112", 1, 96, 112, 112, 96, 3, 2, 1, 96},
    {"depthwise 3x3 384 14x14", 1, 384, 14, 14, 384, 3, 1, 1, 384},
    {"depthwise 5x5 240 28x28 b8", 8, 240, 28, 28, 240, 5, 1, 2, 240},
    {"depthwise 7x7 96 56x56", 1, 96, 56, 56, 96, 7, 1, 3, 96},
    {"depthwise 3x3 32 112x112 b8", 8, 32, 112, 112, 32, 3, 1, 1, 32},
    {"depthwise 3x3s2 96 112x112 b8", 8, 96, 112, 112, 96, 3, 2, 1, 96},
    {"depthwise 3x3 144 56x56 b8", 8, 144, 56, 56, 144, 3, 1, 1, 144},
    {"depthwise 3x3 384 14x14 b8", 8, 384, 14, 14, 384, 3, 1, 1, 384},
    {"1x1 16->96 112x112 b8", 8, 16, 112, 112, 96, 1, 1, 0, 1},
    {"1x1 24->144 56x56 b8", 8, 24, 56, 56, 144, 1, 1, 0, 1},
    {"1x1 144->24 56x56 b8", 8, 144, 56, 56, 24, 1, 1, 0, 1},
    {"1x1 64->384 14x14 b8", 8, 64, 14, 14, 384, 1, 1, 0, 1},
    {"3x3 dilation 2 256->256 28x28", 1, 256, 28, 28, 256, 3, 1, 2, 1, 2},
    {"3x3 groups 32 256->256 14x14", 1, 256, 14, 14, 256, 3, 1, 1, 32},
    {"3x3 groups 32 128->128 56x56", 1, 128, 56, 56, 128, 3, 1, 1, 32},
    {"lenet conv1 5x5 1->6 28x28 b64", 64, 1, 28, 28, 6, 5, 1, 2, 1},
    {"lenet conv2 5x5 6->16 14x14 b64", 64, 6, 14, 14, 16, 5, 1, 0, 1},
    {"3x3 64->64 32x32 b32", 32, 64, 32, 32, 64, 3, 1, 1, 1},
    {"3x3 256->256 8x8 b32", 32, 256, 8, 8, 256, 3, 1, 1, 1},
    {"5x5 32->64 14x14 b64", 64, 32, 14, 14, 64, 5, 1, 2, 1},
    {"5x5s2 64->128 32x32 b16", 16, 64, 32, 32, 128, 5, 2, 2, 1},
};

struct Linear {
  const char* name;
  int64_t batch, in, out;
};
const Linear linears[] = {
    {"lenet fc1 400->120 b64", 64, 400, 120}, {"lenet fc2 120->84 b64", 64, 120, 84},
    {"lenet fc3 84->10 b64", 64, 84, 10},     {"400->120 b1", 1, 400, 120},
    {"2048->1000 b1", 1, 2048, 1000},         {"1024->1024 b1024", 1024, 1024, 1024},
    {"2048->2048 b2048", 2048, 2048, 2048},
};

struct Pooling {
  const char* name;
  int64_t N, C, H, W, kernel, stride, padding;
};
const Pooling poolings[] = {
    {"pool 2x2s2 6 28x28 b64", 64, 6, 28, 28, 2, 2, 0},
    {"pool 2x2s2 16 10x10 b64", 64, 16, 10, 10, 2, 2, 0},
    {"pool 3x3s2 64 112x112", 1, 64, 112, 112, 3, 2, 1},
};

enum class Pass { forward, backward_input, backward_weight };
const char* const passes[] = {"forward", "backward_input", "backward_weight"};

const std::vector<int> kSimulated = {2, 4, 8, 16, 32, 64};  // threads

std::map<std::string, Figure> figures;
Conv2dShape::Algorithm algorithm = Conv2dShape::automatic;

// A layer's memory and its kernels.
struct Conv {
  explicit Conv(const Layer& l)
      : s(shape_of(l)),
        x(s.N * s.H * s.W * s.C),
        w(s.kh * s.kw * s.C / s.groups * s.K),
        b(s.K),
        y(s.N * s.OH * s.OW * s.K),
        flops(2.0 * static_cast<double>(s.N * s.OH * s.OW * s.K * (s.C / s.groups) * s.kh * s.kw)) {}
  void run(Pass pass, Context& context) const {
    switch (pass) {
      case Pass::forward: return kernels().conv2d({s, x.get(), w.get(), b.get(), nullptr, y.get(), {}}, context);
      case Pass::backward_input: return kernels().conv2d_backward_input({s, y.get(), w.get(), nullptr, x.get()}, context);
      case Pass::backward_weight: return kernels().conv2d_backward_weight({s, x.get(), y.get(), w.get(), b.get()}, context);
    }
  }
  static Conv2dShape shape_of(const Layer& l) {
    const int64_t reach = l.dilation * (l.kernel - 1), OH = (l.H + 2 * l.padding - reach - 1) / l.stride + 1,
                  OW = (l.W + 2 * l.padding - reach - 1) / l.stride + 1;
    Conv2dShape s = {l.N, l.H,      l.W,      l.C,       l.K,       l.kernel,   l.kernel,   OH,
                     OW,  l.stride, l.stride, l.padding, l.padding, l.dilation, l.dilation, l.groups};
    if (algorithm != Conv2dShape::winograd || can_filter(s)) s.algorithm = algorithm;
    return s;
  }
  Conv2dShape s;
  Values x, w, b, y;
  double flops;
};

struct Product {
  explicit Product(const Linear& linear)
      : l(linear),
        x(l.batch * l.in),
        w(l.in * l.out),
        b(l.out),
        y(l.batch * l.out),
        flops(2.0 * static_cast<double>(l.batch * l.in * l.out)) {}
  void run(Pass pass, Context& context) const {
    switch (pass) {
      case Pass::forward: return kernels().matmul({1, l.batch, l.out, l.in, false, true, x.get(), w.get(), b.get(), y.get(), {}}, context);
      case Pass::backward_input:
        return kernels().matmul({1, l.batch, l.in, l.out, false, false, y.get(), w.get(), nullptr, x.get(), {}}, context);
      case Pass::backward_weight:
        return kernels().matmul({1, l.out, l.in, l.batch, true, false, y.get(), x.get(), nullptr, w.get(), {}}, context);
    }
  }
  Linear l;
  Values x, w, b, y;
  double flops;
};

template <class Case, class Row>
void measure_layer(benchmark::State& state, const std::string& name, const Row& row, Pass pass, int threads) {
  const Case one(row);
  figures[name] = measure(state, threads, one.flops, [&](Context& context) { one.run(pass, context); });
}

// The maxima alone; where they lie with them; the gradient. A comparison a cell of each window.
const char* const pool_passes[] = {"maxima", "with_places", "backward"};

void pool(benchmark::State& state, const std::string& name, const Pooling& l, Pass pass, int threads) {
  const int64_t OH = (l.H + 2 * l.padding - l.kernel) / l.stride + 1, OW = (l.W + 2 * l.padding - l.kernel) / l.stride + 1;
  const Windows w = {l.N,      l.H,       l.W,       l.C,       OH,        OW, l.kernel, l.kernel, l.stride,
                     l.stride, l.padding, l.padding, l.padding, l.padding, 1,  1,        false};
  const int64_t outputs = l.N * OH * OW * l.C;
  const Values x(l.N * l.H * l.W * l.C), y(outputs), places(outputs);
  const Argmax argmax = {reinterpret_cast<uint8_t*>(places.get()), nullptr};
  if (pass == Pass::backward_weight) {
    KernelContext context;
    kernels().max_pool2d({w, x.get(), y.get(), argmax, {}}, context);
  }
  figures[name] = measure(state, threads, static_cast<double>(outputs * l.kernel * l.kernel), [&](Context& context) {
    switch (pass) {
      case Pass::forward: return kernels().max_pool2d({w, x.get(), y.get(), {}, {}}, context);
      case Pass::backward_input: return kernels().max_pool2d({w, x.get(), y.get(), argmax, {}}, context);
      case Pass::backward_weight: return kernels().max_pool2d_backward({w, y.get(), argmax, x.get()}, context);
    }
  });
}

template <class Row, class Body>
void add(const Row& row, Body* body, const char* const (&passes)[3]) {
  for (int pass = 0; pass < 3; ++pass)
    for (int threads = 1; threads <= 2; ++threads) {
      const std::string name = std::string(row.name) + "/" + passes[pass] + "/" + std::to_string(threads);
      benchmark::RegisterBenchmark(name.c_str(),
                                   [=, &row](benchmark::State& state) { body(state, name, row, static_cast<Pass>(pass), threads); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond)
          ->MinTime(0.2);
    }
}

// Everything LeNet-5 at batch 64 spends on convolutions and linear layers in one training step; the first layer needs no input gradient.
double lenet_step(int threads) {
  double total = 0;
  for (const auto& [name, figure] : figures) {
    if (name.rfind("lenet", 0) == 0 && name.back() == '0' + threads &&
        name.rfind("lenet conv1 5x5 1->6 28x28 b64/backward_input", 0) != 0) {
      total += figure.seconds;
    }
  }
  return total;
}

void summary() {
  const std::string name = "3x3 128->128 28x28";
  const auto one = figures.find(name + "/forward/1"), two = figures.find(name + "/forward/2");
  if (one != figures.end() && two != figures.end()) {
    std::printf("%s: %.0f %% of peak (1 thread), %.0f %% (2 threads)\n", name.c_str(), 100 * one->second.of_peak,
                100 * two->second.of_peak);
  }
  if (lenet_step(2) > 0) {
    std::printf("lenet training step b64, convolutions and linear layers: %.2f ms (1 thread), %.2f ms (2 threads)\n", 1e3 * lenet_step(1),
                1e3 * lenet_step(2));
  }
}

// How each kernel would go on more threads, as a table.
template <class Case, class Row>
void print_balance(const Row& row) {
  const Case one(row);
  for (const Pass pass : {Pass::forward, Pass::backward_input, Pass::backward_weight}) {
    const Balance balance = balance_of([&](Context& context) { one.run(pass, context); }, kSimulated);
    std::printf("| %s | %s | %lld | %.1f |", row.name, passes[static_cast<int>(pass)], static_cast<long long>(balance.chunks),
                100 * balance.serial);
    for (const double speedup : balance.speedup) std::printf(" %.1f |", speedup);
    std::printf("\n");
  }
}

void balance() {
  std::printf("| layer | pass | chunks | outside, %% |");
  for (const int threads : kSimulated) std::printf(" %d |", threads);
  std::printf("\n| --- | --- | --: | --: |");
  for (size_t i = 0; i < kSimulated.size(); ++i) std::printf(" --: |");
  std::printf("\n");
  for (const Layer& row : layers) print_balance<Conv>(row);
  for (const Linear& row : linears) print_balance<Product>(row);
}

}  // namespace

}  // namespace receptive::bench

// Google Benchmark's flags, and --algorithm=direct or winograd for convolutions that allow it; --balance: instead, what more threads would
// do.
int main(int argc, char** argv) {
  using namespace receptive::bench;
  int kept = 1;
  bool only_balance = false;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--algorithm=direct") {
      algorithm = receptive::Conv2dShape::direct;
    } else if (flag == "--algorithm=winograd") {
      algorithm = receptive::Conv2dShape::winograd;
    } else if (flag == "--balance") {
      only_balance = true;
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  if (only_balance) {
    balance();
    return 0;
  }
  std::printf("%s: multiply-add peak %.0f GFLOP/s on one thread, %.0f on two\n", receptive::kernels().isa, peak(1) / 1e9, peak(2) / 1e9);
  for (const Layer& layer : layers) add(layer, measure_layer<Conv, Layer>, passes);
  for (const Linear& layer : linears) add(layer, measure_layer<Product, Linear>, passes);
  for (const Pooling& layer : poolings) add(layer, pool, pool_passes);
  benchmark::RunSpecifiedBenchmarks();
  summary();
}
