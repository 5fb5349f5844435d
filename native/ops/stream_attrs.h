// Reads a Philox stream from an op's attributes.
#pragma once

#include "op.h"
#include "philox.h"

namespace receptive {

// Four attributes of 32 bits: seed low, seed high, offset low, offset high.
inline PhiloxStream stream_of(const Call& call, int attr) {
  const auto word = [&](int i) { return static_cast<uint32_t>(call.integer(attr + i, 0, UINT32_MAX)); };
  const uint32_t low = word(2), high = word(3);
  return {{word(0), word(1)}, (static_cast<uint64_t>(high) << 32) | low};
}

}  // namespace receptive
