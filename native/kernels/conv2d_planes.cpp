// Convolution of few channels by planes.
//
//   for each chunk: images and bands of output rows
//     planes of the band's input with zeros around them           L1/L2
//     for each kPlaneRows rows of the band
//       for each K output channels, for each vector of columns
//         acc[K][kPlaneRows] in registers over the taps and input channels: an input vector serves K channels, a weight the rows
//       the planes of these rows, pixel by pixel again, to y
#include "conv2d_planes.h"

namespace receptive::RECEPTIVE_ISA {

constexpr int64_t kPlaneGrain = 1 << 19;   // multiply-adds worth a chunk
constexpr int64_t kPlaneFloats = 1 << 15;  // of a band's planes, if a few rows allow

// Output channels [k, k + K) of so many rows, the first of which begins to see at x.
template <int K>
static void plane_tile(const PlaneConv& d, const PlaneLayout& layout, const float* x, int64_t rows, int64_t k, float* out,
                       int64_t out_row) {
  const Axis &down = d.source.rows, &across = d.source.cols;
  int64_t apart[kPlaneRows];  // rows that there are not are the last once more
  for (int r = 0; r < kPlaneRows; ++r) apart[r] = smaller<int64_t>(r, rows - 1) * down.stride * layout.pitch;
  const Clip clip = d.finish && !d.finish->add ? d.finish->clip : Clip{};
  const Vec low = broadcast(static_cast<float>(clip.low)), high = broadcast(static_cast<float>(clip.high));
  for (int64_t col = 0; col < across.out; col += Vec::width) {
    Vec acc[K][kPlaneRows];
    for (int n = 0; n < K; ++n) {
      const Vec start = d.bias ? broadcast(d.bias[k + n]) : zero();
      for (int r = 0; r < kPlaneRows; ++r) acc[n][r] = start;
    }
    for (int64_t c = 0; c < d.source.channels; ++c) {
      for (int64_t a = 0; a < down.taps; ++a) {
        const float* p = x + c * layout.plane + a * down.dilation * layout.pitch + col;
        const float* w = d.w + k * d.w_out + c * d.w_in + a * d.w_row;
        for (int64_t b = 0; b < across.taps; ++b, p += across.dilation, w += d.w_col) {
          Vec v[kPlaneRows];
#pragma GCC unroll 4
          for (int r = 0; r < kPlaneRows; ++r) v[r] = load(p + apart[r]);
#pragma GCC unroll 6
          for (int n = 0; n < K; ++n) {
            const Vec weight = broadcast(w[n * d.w_out]);
#pragma GCC unroll 4
            for (int r = 0; r < kPlaneRows; ++r) acc[n][r] = fma(v[r], weight, acc[n][r]);
          }
        }
      }
    }
#pragma GCC unroll 6
    for (int n = 0; n < K; ++n) {
#pragma GCC unroll 4
      for (int r = 0; r < kPlaneRows; ++r) acc[n][r] = min(high, max(low, acc[n][r]));  // in this order NaN passes through
#pragma GCC unroll 4
      for (int r = 0; r < kPlaneRows; ++r) store(out + (n * kPlaneRows + r) * out_row + col, acc[n][r]);
    }
  }
}

struct PlaneFamily {
  using Kernel = void (*)(const PlaneConv&, const PlaneLayout&, const float*, int64_t, int64_t, float*, int64_t);
  template <int K>
  static constexpr Kernel tile = plane_tile<K>;
};
static constexpr PlaneGrid<PlaneFamily> plane_kernel;

// Where a tensor is added: that and what follows it.
static void finish_run(const Finish& finish, int64_t n, float* y) {
  RowsTile tile;
  for (int64_t i = 0; i < n; i += Vec::width) {
    const int some = static_cast<int>(smaller<int64_t>(Vec::width, n - i));
    Vec v[1][1] = {{load(y + i, some)}};
    tile.y[0] = y + i;
    finish_rows<1, 1>(tile, finish, some, v);
    store_row<1>(y + i, some, v[0]);
  }
}

// A row of output pixels from its planes to y: the last ones by a line of memory, for what is written too much.
static void close_row(const PlaneConv& d, const float* planes, int64_t plane, float* line, float* y) {
  const int64_t n = d.source.cols.out, channels = d.out_channels, straight = larger<int64_t>((n - 4) / 4 * 4, 0);
  from_planes(planes, plane, straight, channels, y);
  from_planes(planes + straight, plane, n - straight, channels, line);
  memcpy(y + straight * channels, line, static_cast<size_t>((n - straight) * channels) * sizeof(float));
  if (d.finish && d.finish->add) finish_run(*d.finish, n * channels, y);
}

// Multiply-adds of an image.
static int64_t work_of(const Source& source, int64_t out_channels) {
  return source.rows.out * source.cols.out * source.rows.taps * source.cols.taps * source.channels * out_channels;
}

// How an image is cut: bands of so many output rows, of whole tiles but for the last.
struct PlaneBands {
  int64_t rows, count;
};
static PlaneBands bands_of(const Source& source, int64_t out_channels) {
  const Axis& rows = source.rows;
  const int64_t tiles = (rows.out + kPlaneRows - 1) / kPlaneRows, halo = (rows.taps - 1) * rows.dilation;
  int64_t bands =
      smaller(tiles, larger(work_of(source, out_channels) / kPlaneGrain, plane_layout_of(source, rows.out).size / kPlaneFloats));
  bands = larger<int64_t>(smaller(bands, rows.out * rows.stride / larger<int64_t>(halo, 1)), 1);  // each with more rows than it shares
  const int64_t band = (tiles + bands - 1) / bands * kPlaneRows;
  return {smaller(band, rows.out), (rows.out + band - 1) / band};
}

bool planes_cost_less(const Conv2dShape& s, const Source& source, int64_t out_channels, int64_t otherwise) {
  const Axis &rows = source.rows, &cols = source.cols;
  if (s.groups != 1 || s.algorithm == Conv2dShape::winograd || out_channels >= Vec::width || cols.stride != 1 || cols.out == 0 ||
      rows.out == 0)
    return false;
  const int64_t vectors = whole_vectors(cols.out) / Vec::width * rows.out;
  const int64_t products = vectors * rows.taps * cols.taps * source.channels * (out_channels + plane_blocks(out_channels));
  const PlaneBands bands = bands_of(source, out_channels);
  const int64_t copied = bands.count * plane_layout_of(source, bands.rows).size + vectors * Vec::width * out_channels;
  // The other ways reach two thirds of their number: tiles one vector wide, sums that go to memory.
  return products + copied / 2 < otherwise + otherwise / 2;
}

void convolve_planes(const PlaneConv& d, Context& context) {
  const Source& source = d.source;
  const int64_t height = source.rows.out, K = d.out_channels, columns = whole_vectors(source.cols.out);
  const PlaneBands bands = bands_of(source, K);
  const int64_t items = source.images * bands.count,
                chunks = larger<int64_t>(smaller(items, source.images * work_of(source, K) / kPlaneGrain), 1);

  const PlaneLayout layout = plane_layout_of(source, bands.rows);
  const int64_t slots = chunks == 1 ? 1 : context.threads(), blocks = plane_blocks(K);
  const int64_t out_plane = kPlaneRows * columns, out_size = whole_fours(K) * out_plane, line_size = 8 * K + 4;
  float* const memory =
      static_cast<float*>(context.scratch(static_cast<size_t>(slots * (layout.size + out_size + line_size)) * sizeof(float)));
  context.parallel(chunks, [&](int64_t chunk, int slot) {
    float* const planes = memory + slot * (layout.size + out_size + line_size);
    float *const out = planes + layout.size, *const line = out + out_size;
    memset(planes, 0, static_cast<size_t>(layout.size) * sizeof(float));
    for (int64_t item = chunk * items / chunks; item < (chunk + 1) * items / chunks; ++item) {
      const int64_t image = item / bands.count, begin = item % bands.count * bands.rows;
      const int64_t end = smaller(begin + bands.rows, height);
      open_planes(source, layout, image, begin, planes);
      for (int64_t row = begin; row < end; row += kPlaneRows) {
        const int64_t rows = smaller<int64_t>(kPlaneRows, end - row);
        const float* const x = planes + (row - begin) * source.rows.stride * layout.pitch;
        for (int64_t n = 0; n < blocks; ++n) {
          const int64_t k = n * K / blocks;
          plane_kernel((n + 1) * K / blocks - k)(d, layout, x, rows, k, out + k * out_plane, columns);
        }
        for (int64_t r = 0; r < rows; ++r) {
          float* const y = d.y + ((image * height + row + r) * source.cols.out) * K;
          close_row(d, out + r * columns, out_plane, line, y);
        }
      }
    }
  });
}

}  // namespace receptive::RECEPTIVE_ISA
