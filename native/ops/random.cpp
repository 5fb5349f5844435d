// Random numbers from a Philox stream. Element i comes from words 4 (i / 4) .. 4 (i / 4) + 3 of the stream only, so the result is the
// same for any number of threads.
#include <cmath>

#include "chunks.h"
#include "op.h"
#include "stream_attrs.h"

namespace receptive {

namespace {

enum class Random : int32_t { uniform, normal, count };

template <class T>
struct RandomArgs {
  Random kind;
  int64_t size;
  T* y;
  double a;
  double b;
  PhiloxStream stream;
};

// Uniform in [a, b).
template <class T>
T uniform(uint32_t word, double a, double b) {
  const T value = static_cast<T>(a + (b - a) * (word * 0x1p-32));
  return value < b || !(a < b) ? value : std::nextafter(static_cast<T>(b), static_cast<T>(a));
}

// Box and Muller: two uniform words to two normal values. u is in (0, 1].
void normal(uint32_t first, uint32_t second, double mean, double deviation, double* z) {
  const double u = (first + 1.0) * 0x1p-32, angle = 6.283185307179586 * (second * 0x1p-32), radius = std::sqrt(-2 * std::log(u));
  z[0] = mean + deviation * radius * std::cos(angle);
  z[1] = mean + deviation * radius * std::sin(angle);
}

template <class T>
void random(const RandomArgs<T>& a, Context& context) {
  const int64_t blocks = (a.size + 3) / 4;
  for_chunks(context, blocks, 512, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      uint32_t words[4][1];
      philox(a.stream, block, words);
      double z[4];
      if (a.kind == Random::normal) {
        normal(words[0][0], words[1][0], a.a, a.b, z);
        normal(words[2][0], words[3][0], a.a, a.b, z + 2);
      }
      const int n = static_cast<int>(std::min<int64_t>(4, a.size - 4 * block));
      for (int j = 0; j < n; ++j) {
        a.y[4 * block + j] = a.kind == Random::normal ? static_cast<T>(z[j]) : uniform<T>(words[j][0], a.a, a.b);
      }
    }
  });
}

template <class T>
void submit(Call& call, const Tensor& y) {
  const Random kind = static_cast<Random>(call.integer(0, 0, static_cast<int64_t>(Random::count) - 1));
  call.submit(random<T>, RandomArgs<T>{kind, y.size(), y.as<T>(), call.number(1), call.number(2), stream_of(call, 3)});
}

}  // namespace

// y; kind, a, b, seed low, seed high, offset low, offset high. Uniform in [a, b), or normal with mean a and standard deviation b.
void record_random(Call& call) {
  call.overwrites = 1u << 0;
  const Tensor& y = call.in(0);
  call.require_float(y, "output");
  y.dtype == Dtype::float32 ? submit<float>(call, y) : submit<double>(call, y);
}

}  // namespace receptive
