// Images made into numbers: each moved by an affine map, its colours changed, normalised, and a rectangle of it cut out.
#pragma once

#include "../runtime/context.h"

namespace receptive {

// What lies around an image: 0, its nearest cell, or the image mirrored at the middle of its outermost cells.
enum class Border : int32_t { zeros, replicate, reflect, count };

// What is done to an image: these numbers, one after the other. They come from a tensor, so any of them may be anything.
enum ImageChange {
  kRow,                       // output cell (i, j) is sampled at row r0 + ri i + rj j of the input,
  kColumn = kRow + 3,         // and at column c0 + ci i + cj j, between cells bilinearly
  kBrightness = kColumn + 3,  // factors; 1 changes nothing
  kContrast,
  kSaturation,
  kCut,  // top, left, bottom, right: the output cells from the first two up to, not including, the last two are cut out
  kImageChanges = kCut + 4
};

// With v the sampled value (bytes count as v / 255), and grey 0.299 R + 0.587 G + 0.114 B of three channels, the mean of any others:
//   v <- clamp(brightness v)                            clamp: to [0, 1]; a factor of 1 leaves v as it is, unclamped
//   v <- clamp(m + contrast (v - m)),   m the mean of grey over the image
//   v <- clamp(g + saturation (v - g)), g the grey of the cell
//   y = scale[c] v + shift[c], and 0 where cut out.
template <class T>
struct AugmentArgs {
  int64_t N;        // of y
  int64_t images;   // of x
  int64_t H, W, C;  // of x
  int64_t OH, OW;   // of y
  const T* x;       // null: the images are bytes
  const uint8_t* bytes;
  const int32_t* index;  // which image of x each of y is made of; null: that of its own place
  const T* changes;      // kImageChanges numbers an image; null: nothing is done to them
  const T* scale;        // C; null: 1
  const T* shift;        // C; null: 0
  T* y;
  Border border;
};

// The image of x that image n of y is made of; -1, and a failure, where the index names none.
template <class T>
static inline int64_t image_of(const AugmentArgs<T>& a, int64_t n, Context& context) {
  const int64_t image = a.index ? a.index[n] : n;
  if (image >= 0 && image < a.images) return image;
  context.fail("augment: index %lld at %lld, expected 0 to %lld", static_cast<long long>(image), static_cast<long long>(n),
               static_cast<long long>(a.images - 1));
  return -1;
}

namespace reference {
template <class T>
void augment(const AugmentArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
