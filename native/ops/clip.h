// What may follow an operation in the pass that makes its results: a tensor is added, then values are brought into [low, high], a rectifier
// being [0, inf). The gradient passes where the value lies between the two, and at infinity where that is no end.
#pragma once

#include <math.h>

namespace receptive {

class Call;

struct Clip {
  double low = -HUGE_VAL, high = HUGE_VAL;  // infinite: none
};
static inline bool clips(const Clip& c) { return c.low > -HUGE_VAL || c.high < HUGE_VAL; }

// Attributes i and i + 1.
Clip clip_of(const Call& call, int i);

namespace reference {
template <class T>
static inline T clipped(T value, const Clip& clip) {
  const T low = static_cast<T>(clip.low), high = static_cast<T>(clip.high);
  return value < low ? low : value > high ? high : value;
}
// Whether the gradient of a value passes.
template <class T>
static inline bool passes(T value, const Clip& clip) {
  if (!clips(clip)) return true;
  return value > static_cast<T>(clip.low) && (clip.high == HUGE_VAL || value < static_cast<T>(clip.high));
}
}  // namespace reference

}  // namespace receptive
