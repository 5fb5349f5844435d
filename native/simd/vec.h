// Vec: the vector of floats of the instruction set this unit is compiled for.
//
// Every unit that includes this is compiled once per instruction set with RECEPTIVE_ISA set to its name, and everything lies in
// receptive::RECEPTIVE_ISA: the linker never folds a function compiled with wide flags into one that an older machine runs. For
// the same reason a kernel includes only C headers and this folder, never an inline function of the C++ library.
//
// Each instruction set provides
//   Vec                     v of Vec::width floats;   + - * /   fma(a, b, c) = a*b + c   max min sqrt abs; Vec::registers of them, and
//                           Vec::masks, whether part of a vector is loaded and stored as fast as all of it
//   copy_sign(a, sign)      |a| with the sign of the other
//   load store              whole, unaligned; with n (0 <= n <= width): the first n lanes, the rest reads as zero, is not written
//   store_far, end_far      a whole vector, aligned, past the caches; what a thread calls behind its last one
//   prefetch                asks for the line at p, which need not be anyone's
//   Mask                    a < b, a > b, a == b;   select(mask, a, b)
//   permute(a, order)       lane i of the result is lane order[i] of a; order_of(p, n): width 32-bit numbers from p on, plus n
//   reduce_add reduce_max   over the lanes, in a fixed order
//   round_to_int, exp2_of   what exp() needs: nearest integer; 2^n for integral n in [-126, 127]
//   load_u8                 width bytes, or the first n, widened to floats
//   store_u8                the first n lanes, integral in [0, 255], as bytes
//   store_i32               the first n lanes, integral, as 32-bit integers
#pragma once

#ifndef RECEPTIVE_ISA
#error "compile with RECEPTIVE_ISA set to avx512, avx2, sse2 or neon"
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "attributes.h"

#define RECEPTIVE_ISA_avx512 1
#define RECEPTIVE_ISA_avx2 2
#define RECEPTIVE_ISA_sse2 3
#define RECEPTIVE_ISA_neon 4
#define RECEPTIVE_JOIN_(a, b) a##b
#define RECEPTIVE_JOIN(a, b) RECEPTIVE_JOIN_(a, b)
#define RECEPTIVE_ISA_NUMBER RECEPTIVE_JOIN(RECEPTIVE_ISA_, RECEPTIVE_ISA)

RECEPTIVE_NOTHROW_BEGIN
#if RECEPTIVE_ISA_NUMBER == 1
#include "avx512.h"
#elif RECEPTIVE_ISA_NUMBER == 2
#include "avx2.h"
#elif RECEPTIVE_ISA_NUMBER == 3
#include "sse2.h"
#elif RECEPTIVE_ISA_NUMBER == 4
#include "neon.h"
#endif
RECEPTIVE_NOTHROW_END

namespace receptive::RECEPTIVE_ISA {

// The set for processors that have no better one, the last of which was made in 2013: without code of its own for special cases.
constexpr bool kSmall = RECEPTIVE_ISA_NUMBER == RECEPTIVE_ISA_sse2;

RECEPTIVE_NOTHROW_BEGIN

template <class T>
RECEPTIVE_INLINE T smaller(T a, T b) {
  return b < a ? b : a;
}
template <class T>
RECEPTIVE_INLINE T larger(T a, T b) {
  return a < b ? b : a;
}

// The same value, in a register: compilers that see where it came from would read or compute it again at each use.
#if defined(__aarch64__) && defined(__GNUC__)
RECEPTIVE_INLINE Vec held(Vec a) {
  __asm__("" : "+w"(a.v));
  return a;
}
#elif defined(__GNUC__)
RECEPTIVE_INLINE Vec held(Vec a) {
  __asm__("" : "+v"(a.v));
  return a;
}
#else
RECEPTIVE_INLINE Vec held(Vec a) { return a; }
#endif
RECEPTIVE_INLINE int64_t held(int64_t a) {
#if defined(__GNUC__)
  __asm__("" : "+r"(a));
#endif
  return a;
}

RECEPTIVE_NOTHROW_END

}  // namespace receptive::RECEPTIVE_ISA
