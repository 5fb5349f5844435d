// Augmentation, an image at a time, in passes over what a cache holds: sampled as values from 0 to 1 into y, then colours, normalisation
// and cutout in place. Images that move by whole cells, which is most of them, are copied row by row; those that stay are normalised on the
// way, in one pass.
#include "../ops/augment.h"

#include <math.h>

#include "split.h"

namespace receptive::RECEPTIVE_ISA {

void augment(const AugmentArgs<float>&, Context&);

// The two cells of an axis around a coordinate. One outside has weight 0 and the place of one inside.
struct Between {
  int64_t at[2];
  float weight[2];
};

RECEPTIVE_INLINE Between between(double at, int64_t size, Border border) {
  const double last = static_cast<double>(size - 1);
  if (border == Border::reflect && !(at >= 0 && at <= last) && isfinite(at) && last > 0) {
    at = fmod(fabs(at), 2 * last);
    if (at > last) at = 2 * last - at;
  }
  if (border != Border::zeros) at = at > 0 ? (at < last ? at : last) : 0;
  if (!(at > -1 && at < static_cast<double>(size))) return {{0, 0}, {0, 0}};
  const double whole = floor(at);
  const int64_t first = static_cast<int64_t>(whole);
  const float after = static_cast<float>(at - whole);
  if (first < 0) return {{0, 0}, {0, after}};
  if (first + 1 >= size) return {{first, first}, {1 - after, 0}};
  return {{first, first + 1}, {1 - after, after}};
}

// The cell a whole coordinate names, -1 for none.
RECEPTIVE_INLINE int64_t cell_at(int64_t at, int64_t size, Border border) {
  if (at >= 0 && at < size) return at;
  if (border == Border::zeros) return -1;
  if (border == Border::replicate || size == 1) return at < 0 ? 0 : size - 1;
  const int64_t period = 2 * (size - 1), folded = (at < 0 ? -at : at) % period;
  return folded < size ? folded : period - folded;
}

RECEPTIVE_INLINE float number_of(uint8_t v) { return static_cast<float>(v) * (1.0f / 255.0f); }
RECEPTIVE_INLINE float number_of(float v) { return v; }

RECEPTIVE_INLINE Vec numbers_at(const uint8_t* x, int lanes) { return load_some(x, lanes) * broadcast(1.0f / 255.0f); }
RECEPTIVE_INLINE Vec numbers_at(const float* x, int lanes) { return load_some(x, lanes); }

RECEPTIVE_INLINE void numbers_of(const uint8_t* x, int64_t n, float* y) {
  for (int64_t k = 0; k < n; k += Vec::width) {
    const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, n - k));
    store_some(y + k, numbers_at(x + k, lanes), lanes);
  }
}
RECEPTIVE_INLINE void numbers_of(const float* x, int64_t n, float* y) { memcpy(y, x, static_cast<size_t>(n) * sizeof(float)); }

// Whether output cell (i, j) is exactly input cell (row + i, column ± j).
RECEPTIVE_INLINE bool moves_whole_cells(const float* change) {
  const float row = change[kRow], column = change[kColumn];
  constexpr float most = 1 << 24;
  return change[kRow + 1] == 1 && change[kRow + 2] == 0 && change[kColumn + 1] == 0 && fabsf(change[kColumn + 2]) == 1 &&
         fabsf(row) <= most && fabsf(column) <= most && row == floorf(row) && column == floorf(column);
}

template <class Source>
RECEPTIVE_INLINE void move(const AugmentArgs<float>& a, const Source* x, int64_t top, int64_t left, int64_t step, float* y) {
  // the outputs that lie inside the image
  const int64_t first = step > 0 ? -left : left - a.W + 1;
  const int64_t begin = smaller(larger<int64_t>(first, 0), a.OW), end = larger(smaller(first + a.W, a.OW), begin);
  for (int64_t i = 0; i < a.OH; ++i, y += a.OW * a.C) {
    const int64_t from = cell_at(top + i, a.H, a.border);
    if (from < 0) {
      memset(y, 0, static_cast<size_t>(a.OW * a.C) * sizeof(float));
      continue;
    }
    const Source* row = x + from * a.W * a.C;
    for (int64_t j = begin > 0 ? 0 : end; j < a.OW; j = j + 1 == begin ? end : j + 1) {  // the others
      const int64_t cell = cell_at(left + step * j, a.W, a.border);
      for (int64_t c = 0; c < a.C; ++c) y[j * a.C + c] = cell < 0 ? 0 : number_of(row[cell * a.C + c]);
    }
    if (step > 0) {
      numbers_of(row + (left + begin) * a.C, (end - begin) * a.C, y + begin * a.C);
    } else {
      for (int64_t j = begin; j < end; ++j) {
        for (int64_t c = 0; c < a.C; ++c) y[j * a.C + c] = number_of(row[(left - j) * a.C + c]);
      }
    }
  }
}

template <class Source>
RECEPTIVE_INLINE void sample(const AugmentArgs<float>& a, const Source* x, const float* change, float* y) {
  for (int64_t i = 0; i < a.OH; ++i) {
    for (int64_t j = 0; j < a.OW; ++j, y += a.C) {
      const auto at = [&](int64_t k) {
        return static_cast<double>(change[k]) + static_cast<double>(change[k + 1]) * static_cast<double>(i) +
               static_cast<double>(change[k + 2]) * static_cast<double>(j);
      };
      const Between row = between(at(kRow), a.H, a.border), column = between(at(kColumn), a.W, a.border);
      const Source* above = x + row.at[0] * a.W * a.C;
      const Source* below = x + row.at[1] * a.W * a.C;
      const int64_t left = column.at[0] * a.C, right = column.at[1] * a.C;
      for (int64_t c = 0; c < a.C; ++c) {
        const float upper = column.weight[0] * number_of(above[left + c]) + column.weight[1] * number_of(above[right + c]);
        const float lower = column.weight[0] * number_of(below[left + c]) + column.weight[1] * number_of(below[right + c]);
        y[c] = row.weight[0] * upper + row.weight[1] * lower;
      }
    }
  }
}

// y <- scale v + shift of n values v, which may be y. scales and shifts: those of C channels, beginning anew so far that a vector can be
// loaded from each.
template <class Source>
static RECEPTIVE_OUTLINE void normalise(const Source* v, int64_t n, int64_t C, const float* scales, const float* shifts, float* y) {
  const int64_t step = Vec::width % C;
  for (int64_t k = 0, c = 0; k < n; k += Vec::width) {
    const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, n - k));
    store_some(y + k, fma(numbers_at(v + k, lanes), load(scales + c), load(shifts + c)), lanes);
    c += step;
    if (c >= C) c -= C;
  }
}

template <class Source>
static RECEPTIVE_OUTLINE void place(const AugmentArgs<float>& a, const Source* x, const float* change, float* y) {
  if (moves_whole_cells(change)) {
    move(a, x, static_cast<int64_t>(change[kRow]), static_cast<int64_t>(change[kColumn]), change[kColumn + 2] > 0 ? 1 : -1, y);
  } else {
    sample(a, x, change, y);
  }
}

RECEPTIVE_INLINE Vec clamp(Vec v) { return min(max(v, zero()), broadcast(1.0f)); }

// v <- clamp(centre + factor (v - centre)) for n values.
RECEPTIVE_INLINE void spread(float* y, int64_t n, float factor, float centre) {
  for (int64_t k = 0; k < n; k += Vec::width) {
    const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, n - k));
    store_some(y + k, clamp(fma(broadcast(factor), load_some(y + k, lanes) - broadcast(centre), broadcast(centre))), lanes);
  }
}

RECEPTIVE_INLINE float grey(const float* v, int64_t C) {
  if (C == 3) return 0.299f * v[0] + 0.587f * v[1] + 0.114f * v[2];
  float sum = 0;
  for (int64_t c = 0; c < C; ++c) sum += v[c];
  return sum / static_cast<float>(C);
}

static RECEPTIVE_OUTLINE void recolour(float* y, int64_t cells, int64_t C, const float* change) {
  if (change[kBrightness] != 1) spread(y, cells * C, change[kBrightness], 0);
  if (change[kContrast] != 1) {
    double sum = 0;
    for (int64_t k = 0; k < cells; ++k) sum += static_cast<double>(grey(y + k * C, C));
    spread(y, cells * C, change[kContrast], static_cast<float>(sum / static_cast<double>(cells)));
  }
  if (change[kSaturation] != 1) {
    for (int64_t k = 0; k < cells; ++k) spread(y + k * C, C, change[kSaturation], grey(y + k * C, C));
  }
}

// The first whole number not below a limit, at most size; size for NaN.
RECEPTIVE_INLINE int64_t first_from(float limit, int64_t size) {
  if (limit <= 0) return 0;
  return limit < static_cast<float>(size) ? static_cast<int64_t>(ceilf(limit)) : size;
}

static RECEPTIVE_OUTLINE void cut(const AugmentArgs<float>& a, const float* change, float* y) {
  const int64_t top = first_from(change[kCut], a.OH), left = first_from(change[kCut + 1], a.OW);
  const int64_t bottom = change[kCut + 2] > 0 ? first_from(change[kCut + 2], a.OH) : 0;
  const int64_t right = change[kCut + 3] > 0 ? first_from(change[kCut + 3], a.OW) : 0;
  if (left >= right) return;
  for (int64_t i = top; i < bottom; ++i) {
    memset(y + (i * a.OW + left) * a.C, 0, static_cast<size_t>((right - left) * a.C) * sizeof(float));
  }
}

// Images that an index names lie anywhere in memory: the beginning of one is asked for while those before it are made.
constexpr int64_t kAhead = 2;
RECEPTIVE_INLINE void ask_for_image(const AugmentArgs<float>& a, int64_t n) {
  if (!a.index || a.x || a.index[n] < 0 || a.index[n] >= a.images) return;
  const int64_t bytes = a.H * a.W * a.C;
  const uint8_t* image = a.bytes + a.index[n] * bytes;
  for (int64_t i = 0; i < smaller<int64_t>(bytes, 4096); i += 64) prefetch(reinterpret_cast<const float*>(image + i));
}

void augment(const AugmentArgs<float>& a, Context& context) {
  const int64_t cells = a.OH * a.OW, image = cells * a.C, period = a.C + Vec::width;
  // scale and shift of the channels that follow on each other, from any channel on for a vector's length
  float* scales = static_cast<float*>(context.scratch(static_cast<size_t>(2 * period) * sizeof(float)));
  float* shifts = scales + period;
  for (int64_t k = 0; a.C > 0 && k < period; ++k) {
    scales[k] = a.scale ? a.scale[k % a.C] : 1;
    shifts[k] = a.shift ? a.shift[k % a.C] : 0;
  }
  const auto make = [&](const auto* x, const float* change, float* y) {
    if (!change) return a.scale || a.shift ? normalise(x, image, a.C, scales, shifts, y) : numbers_of(x, image, y);
    place(a, x, change, y);
    recolour(y, cells, a.C, change);
    if (a.scale || a.shift) normalise(y, image, a.C, scales, shifts, y);
    cut(a, change, y);
  };
  split(context, a.N, kElementGrain / larger<int64_t>(image, 1), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t n = begin; n < end; ++n) {
      if (n + kAhead < end) ask_for_image(a, n + kAhead);
      float* y = a.y + n * image;
      const int64_t source = image_of(a, n, context), from = source * a.H * a.W * a.C;
      if (source < 0) {
        memset(y, 0, static_cast<size_t>(image) * sizeof(float));
      } else if (image > 0) {
        const float* change = a.changes ? a.changes + n * kImageChanges : nullptr;
        a.x ? make(a.x + from, change, y) : make(a.bytes + from, change, y);
      }
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
