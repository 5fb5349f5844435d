// Convolution by planes: pixels of an output row along the lanes of a vector, a plane for each channel. For layers of few channels, whose
// pixels would fill a part of a vector only. conv2d_planes.cpp.
#pragma once

#include "conv2d_source.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int kPlaneRows = 4;  // of a tile
// Channels of one: with so many accumulators to a row, its inputs and a weight fit the registers.
constexpr int kPlaneChannels = Vec::registers == 32 ? 6 : Vec::width == 8 ? 3 : 2;

// Tap (a, b) of output channel k has its weight for input channel c at w + a*w_row + b*w_col + c*w_in + k*w_out. Output pixel (i, j) of an
// image lies at y + image*y_image + (i*cols.out + j)*out_channels.
struct PlaneConv {
  Source source;  // cols.stride is 1
  const float* w;
  int64_t w_row, w_col, w_in, w_out;
  const float* bias;  // or null
  float* y;
  int64_t out_channels;
  const Finish* finish = nullptr;
};

// A family of tiles instantiated for every number of channels of one.
template <class Family>
struct PlaneGrid {
  typename Family::Kernel kernels[kPlaneChannels];
  constexpr PlaneGrid() : kernels() { fill<1>(); }
  constexpr typename Family::Kernel operator()(int64_t channels) const { return kernels[channels - 1]; }

 private:
  template <int K>
  constexpr void fill() {
    kernels[K - 1] = Family::template tile<K>;
    if constexpr (K < kPlaneChannels) fill<K + 1>();
  }
};
// Tiles for so many channels, as even as they come.
RECEPTIVE_INLINE int64_t plane_blocks(int64_t channels) { return (channels + kPlaneChannels - 1) / kPlaneChannels; }

RECEPTIVE_INLINE int64_t whole_vectors(int64_t n) { return (n + Vec::width - 1) / Vec::width * Vec::width; }
RECEPTIVE_INLINE int64_t whole_fours(int64_t n) { return (n + 3) / 4 * 4; }

// Sizes in floats of the padded planes of what a band of output rows sees.
struct PlaneLayout {
  int64_t pitch, rows, plane, size;
};
RECEPTIVE_INLINE PlaneLayout plane_layout_of(const Source& source, int64_t band) {
  const int64_t pitch = whole_vectors(source.cols.out) + (source.cols.taps - 1) * source.cols.dilation;
  const int64_t rows = (band - 1) * source.rows.stride + (source.rows.taps - 1) * source.rows.dilation + 1;
  return {pitch, rows, rows * pitch, (source.channels == 1 ? 1 : whole_fours(source.channels)) * rows * pitch};
}

// n pixels of so many channels each to planes: channel c of pixel i to planes + c*plane + i. Planes up to a multiple of four are written.
RECEPTIVE_INLINE void to_planes(const float* x, int64_t n, int64_t channels, float* planes, int64_t plane) {
  if (channels == 1) {
    int64_t i = 0;
    for (; i + Vec::width <= n; i += Vec::width) store(planes + i, load(x + i));
    if (i < n) store(planes + i, load(x + i, static_cast<int>(n - i)), static_cast<int>(n - i));
    return;
  }
  for (int64_t c = 0; c < channels; c += 4) {
    // Four channels of the last pixels may be more than there are.
    const int64_t safe = channels - c >= 4 ? n : n - (4 + channels - 1) / channels;
    int64_t i = 0;
    for (; i + 4 <= safe; i += 4) transpose4(x + i * channels + c, channels, planes + c * plane + i, plane);
    for (; i < n; ++i) {
      for (int64_t k = c; k < smaller(c + 4, channels); ++k) planes[k * plane + i] = x[i * channels + k];
    }
  }
}

// And back, four pixels at a time; up to 3 pixels and 3 floats more than n pixels are written.
RECEPTIVE_INLINE void from_planes(const float* planes, int64_t plane, int64_t n, int64_t channels, float* x) {
  for (int64_t i = 0; i < n; i += 4) {
    // What the last four channels of a pixel write beyond it belongs to the first of the next, which come after.
    for (int64_t c = whole_fours(channels) - 4; c >= 0; c -= 4) {
      transpose4(planes + c * plane + i, plane, x + i * channels + c, channels);
    }
  }
}

// Fills in the planes of what output rows [row, row + band) of an image see. What lies left and right of the image is zero already.
RECEPTIVE_INLINE void open_planes(const Source& source, const PlaneLayout& layout, int64_t image, int64_t row, float* planes) {
  const Axis &rows = source.rows, &cols = source.cols;
  const int64_t channels = source.channels, begin = smaller(larger<int64_t>(-cols.origin, 0), layout.pitch);
  const int64_t end = smaller(cols.in - cols.origin, layout.pitch);
  if (end <= begin) return;
  for (int64_t r = 0; r < layout.rows; ++r, planes += layout.pitch) {
    const int64_t h = row * rows.stride + rows.origin + r;
    if (h >= 0 && h < rows.in) {
      to_planes(source.image(image, 0) + (h * cols.in + cols.origin + begin) * channels, end - begin, channels, planes + begin,
                layout.plane);
      continue;
    }
    for (int64_t c = 0; c < channels; ++c) memset(planes + c * layout.plane + begin, 0, static_cast<size_t>(end - begin) * sizeof(float));
  }
}

// Whether that is the fastest way for layers of this shape, which otherwise would take so many vector operations to an image.
bool planes_cost_less(const Conv2dShape&, const Source&, int64_t out_channels, int64_t otherwise);
RECEPTIVE_INLINE bool planes_pay(const Conv2dShape& s, const Source& source, int64_t out_channels, int64_t otherwise) {
  return !kSmall && planes_cost_less(s, source, out_channels, otherwise);
}
void convolve_planes(const PlaneConv&, Context&);

}  // namespace receptive::RECEPTIVE_ISA
