// What instruments this build: RECEPTIVE_ASAN for AddressSanitizer, RECEPTIVE_TSAN for ThreadSanitizer; 1 or 0.
#pragma once

// GCC and MSVC define macros of their own, clang answers __has_feature.
#if defined(__has_feature)
#define RECEPTIVE_HAS_FEATURE(name) __has_feature(name)
#else
#define RECEPTIVE_HAS_FEATURE(name) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || RECEPTIVE_HAS_FEATURE(address_sanitizer)
#define RECEPTIVE_ASAN 1
#else
#define RECEPTIVE_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__) || RECEPTIVE_HAS_FEATURE(thread_sanitizer)
#define RECEPTIVE_TSAN 1
#else
#define RECEPTIVE_TSAN 0
#endif
