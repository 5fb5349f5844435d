#include "../ops/peak.h"

#include "support.h"

namespace receptive::test::peak_test {

// Each of its chains goes to the fixed point of x/2 + 1/2: so many ones, and no step was left out.
TEST(peak, runs_every_chain_in_every_chunk) {
  constexpr int64_t chunks = 5, chains = 12;
  each_isa([&](const KernelTable& table) {
    Buffer<float> sink(chunks, 0.5f);
    KernelContext context;
    context.begin();
    table.peak({chunks, 2 * chains * 16 * 100, sink.data()}, context);
    for (int64_t i = 0; i < chunks; ++i) EXPECT_EQ(sink[i], sink[0]);
    const std::string isa = table.isa;
    EXPECT_EQ(sink[0], static_cast<float>(chains * (isa == "avx512" ? 16 : isa == "avx2" ? 8 : 4)));
    sink.verify("peak");
  });
}

}  // namespace receptive::test::peak_test
