// What compilers are told of functions and loops, each in its own words.
#pragma once

// RECEPTIVE_NOTHROW is for functions that units share, which a compiler takes to throw whatever they do, and which are many: without a
// table for each that says how it is left. (noexcept wants one, to end the process.)
#if defined(_MSC_VER)
#define RECEPTIVE_INLINE static __forceinline
#define RECEPTIVE_OUTLINE __declspec(noinline)
#define RECEPTIVE_NOTHROW __declspec(nothrow)
#else
#define RECEPTIVE_INLINE static inline __attribute__((always_inline))
#define RECEPTIVE_OUTLINE __attribute__((noinline))
#define RECEPTIVE_NOTHROW __attribute__((nothrow))
#endif

// Around functions that those call, for clang: it writes the table where it sees a call that might throw, although the call turns out to be
// of nothing but instructions.
#if defined(__clang__)
#define RECEPTIVE_NOTHROW_BEGIN _Pragma("clang attribute push(__attribute__((nothrow)), apply_to = hasType(functionType))")
#define RECEPTIVE_NOTHROW_END _Pragma("clang attribute pop")
#else
#define RECEPTIVE_NOTHROW_BEGIN
#define RECEPTIVE_NOTHROW_END
#endif

// Before a loop over numbers that the compiler shall make vectors of. Kernels are written in vectors, and what clang makes of the few loops
// that are not is more than they are worth: it is told to leave the others alone (clang in native/sources.cjs).
#if defined(__clang__)
#define RECEPTIVE_VECTORISE _Pragma("clang loop vectorize(enable) interleave(disable)")
#else
#define RECEPTIVE_VECTORISE
#endif
