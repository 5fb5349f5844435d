// That the tests' own guards notice what they are there for.
#include <gtest/gtest-spi.h>

#include "op_case.h"

namespace receptive::test::support_test {

namespace {

// Volatile, or the compiler sees the overrun.
template <class T>
void write_at(T* data, int64_t offset) {
  volatile T* const cell = data;
  cell[offset] = T{1};
}

}  // namespace

TEST(support, an_overrun_by_one_element_is_noticed) {
  for (const int64_t n : {1, 3, 16, 17}) {
    for (const int64_t offset : {int64_t{-1}, n}) {
#if RECEPTIVE_ASAN
      EXPECT_DEATH(write_at(Buffer<float>(n).data(), offset), "heap-buffer-overflow");
      EXPECT_DEATH(write_at(Cells(Dtype::float32, {n}).tensor().as<float>(), offset), "heap-buffer-overflow");
#else
      static int64_t size, at;
      size = n, at = offset;
      EXPECT_FATAL_FAILURE(
          {
            Buffer<float> buffer(size);
            write_at(buffer.data(), at);
            buffer.verify("buffer");
          },
          "the buffer");
      EXPECT_FATAL_FAILURE(
          {
            const Cells cells(Dtype::float32, {size});
            write_at(cells.tensor().as<float>(), at);
            cells.verify("cells");
          },
          "a tensor");
#endif
    }
  }
}

}  // namespace receptive::test::support_test
