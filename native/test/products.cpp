#include "products.h"

namespace receptive::test {

void expect_within_summation_error(const Buffer<float>& out, const Buffer<double>& ref, const Buffer<double>& magnitude, int64_t terms,
                                   const std::string& what) {
  ASSERT_EQ(out.size(), ref.size()) << what;
  if (!kAgainstReference) return out.verify(what);
  for (int64_t i = 0; i < ref.size(); ++i) {
    const double bound = static_cast<double>(terms + 2) * 0x1p-24 * magnitude[i];
    ASSERT_LE(std::fabs(out[i] - ref[i]), bound) << what << ": at " << i << ": " << out[i] << " against " << ref[i];
  }
  out.verify(what);
}

Buffer<double> absolute(const Buffer<double>& b) {
  Buffer<double> positive = b;
  for (int64_t i = 0; i < b.size(); ++i) positive[i] = std::fabs(b[i]);
  return positive;
}

}  // namespace receptive::test
