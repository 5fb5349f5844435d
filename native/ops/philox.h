// Philox4x32-10, a counter-based generator: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
// Word i of a stream is a function of its seed and i alone, so any thread can make any part of it.
//
// Included by units compiled for wide instruction sets: everything is static, so that each unit keeps its own copy.
#pragma once

#include <stdint.h>

namespace receptive {

// A 64-bit key and where in its stream of 2^64 blocks of four words to begin.
struct PhiloxStream {
  uint32_t seed[2];
  uint64_t offset;
};

// Ten rounds over `lanes` counters at a time, in place: word j of counter i is words[j][i]. Plain loops, which compilers vectorise.
template <int lanes>
static inline void philox_rounds(uint32_t (&words)[4][lanes], uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
    for (int i = 0; i < lanes; ++i) {
      const uint64_t p0 = uint64_t{0xD2511F53u} * words[0][i], p1 = uint64_t{0xCD9E8D57u} * words[2][i];
      const uint32_t x0 = static_cast<uint32_t>(p1 >> 32) ^ words[1][i] ^ k0, x2 = static_cast<uint32_t>(p0 >> 32) ^ words[3][i] ^ k1;
      words[0][i] = x0;
      words[1][i] = static_cast<uint32_t>(p1);
      words[2][i] = x2;
      words[3][i] = static_cast<uint32_t>(p0);
    }
  }
}

// Blocks block .. block + lanes - 1 of the stream: its word 4 (block + i) + j is words[j][i].
template <int lanes>
static inline void philox(const PhiloxStream& stream, int64_t block, uint32_t (&words)[4][lanes]) {
  for (int i = 0; i < lanes; ++i) {
    const uint64_t counter = stream.offset + static_cast<uint64_t>(block + i);
    words[0][i] = static_cast<uint32_t>(counter);
    words[1][i] = static_cast<uint32_t>(counter >> 32);
    words[2][i] = 0;
    words[3][i] = 0;
  }
  philox_rounds(words, stream.seed[0], stream.seed[1]);
}

}  // namespace receptive
