// Gradient of a convolution with respect to its input: the loop nest of conv2d_gather.h over the output's gradient.
//
// Along one axis, input cell h receives g[i] * w[a] wherever i*stride + a*dilation - padding = h. Cells of one phase, h = phase + u*stride,
// take the same taps: those with (phase + padding - a*dilation) divisible by the stride, a = first + q*every, and each reads
// i = u + (phase + padding - a*dilation)/stride. That is a convolution of stride 1 over g with fewer taps, in reverse order: stride s
// is s*s convolutions, stride 1 is one with the kernel flipped. Input and output channels change places in the packed weights. A bias is
// what the sums start from.
#include "conv2d_cells.h"
#include "conv2d_depthwise.h"
#include "conv2d_gather.h"
#include "conv2d_planes.h"
#include "conv2d_scatter.h"
#include "conv2d_sparse.h"
#include "conv2d_winograd.h"
#include "split.h"

namespace receptive::RECEPTIVE_ISA {

void conv2d_backward_input(const Conv2dBackwardInputArgs<float>&, Context&);

constexpr int64_t kTransposeRows = 64;  // of a piece of the weights

// One phase along one axis. Its taps are kernel indices last, last - every, ..., in the order the axis counts them.
struct Phase {
  int64_t number, last, every;
  Axis axis;
};

// The phases along one axis that have taps: no more than there are taps.
struct Phases {
  int64_t count;
  bool complete;  // every cell belongs to one of them
  Phase* phases;
  bool* reached;  // by phase number: whether it is one of them

  const Phase& operator[](int64_t i) const { return phases[i]; }
  // Which of them takes kernel index a, -1 if none.
  int64_t of_tap(int64_t a) const {
    for (int64_t i = 0; i < count; ++i) {
      const Phase& p = phases[i];
      if (a <= p.last && (p.last - a) % p.every == 0) return i;
    }
    return -1;
  }
};

static int64_t common_divisor(int64_t a, int64_t b) {
  while (b != 0) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

static Phases phases_of(int64_t in, int64_t out, int64_t taps, int64_t stride, int64_t padding, int64_t dilation, Context& context) {
  const int64_t divisor = common_divisor(stride, dilation), every = stride / divisor, numbers = smaller(stride, in);
  Phases found = {0, true, static_cast<Phase*>(context.scratch(static_cast<size_t>(smaller(numbers, taps)) * sizeof(Phase))),
                  static_cast<bool*>(context.scratch(static_cast<size_t>(numbers) * sizeof(bool)))};
  for (int64_t number = 0; number < numbers; ++number) {
    int64_t first = 0;
    while (first < smaller(every, taps) && (number + padding - first * dilation) % stride != 0) ++first;
    found.reached[number] = first < smaller(every, taps);
    if (!found.reached[number]) {
      found.complete = false;
      continue;
    }
    const int64_t count = (taps - 1 - first) / every + 1, last = first + (count - 1) * every;
    const int64_t origin = (number + padding - last * dilation) / stride;
    found.phases[found.count++] = {number, last, every, {(in - number + stride - 1) / stride, out, 1, count, dilation / divisor, origin}};
  }
  return found;
}

// Writes 0, or the bias, to the cells that belong to no phase.
static void fill_unreached(const Conv2dBackwardInputArgs<float>& a, const Phases& rows, const Phases& cols, Context& context) {
  const Conv2dShape& s = a.shape;
  if (rows.complete && cols.complete) return;
  split(context, s.N * s.H, kElementGrain / larger<int64_t>(s.W * s.C, 1), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const bool reached = rows.reached[row % s.H % s.sh];
      if (reached && cols.complete) continue;
      for (int64_t w = 0; w < s.W; ++w) {
        if (!reached || !cols.reached[w % s.sw]) fill_pixels(a.dx + (row * s.W + w) * s.C, a.b, s.C, 1);
      }
    }
  });
}

static int64_t steps_of(const Phase& row, const Phase& col, int64_t channels) { return row.axis.taps * col.axis.taps * channels; }

// Packs w transposed, tap by tap, to where the gather of the tap's phase wants it.
static void pack_weights(const Conv2dBackwardInputArgs<float>& a, const Phases& rows, const Phases& cols, const Panels& panels,
                         float* const* packed, Context& context) {
  const Conv2dShape& s = a.shape;
  const int64_t Cg = s.C / s.groups, Kg = s.K / s.groups;
  const int64_t units = s.kh * s.kw * s.groups * panels.count();
  const int64_t chunks = smaller((s.kh * s.kw * Cg * s.K + kPackGrain - 1) / kPackGrain, units);
  context.parallel(chunks, [&](int64_t chunk, int) {
    for (int64_t unit = chunk * units / chunks; unit < (chunk + 1) * units / chunks; ++unit) {
      const int64_t index = unit % panels.count(), group = unit / panels.count() % s.groups, tap = unit / panels.count() / s.groups;
      const int64_t kh = tap / s.kw, kw = tap % s.kw, i = rows.of_tap(kh), j = cols.of_tap(kw);
      if (i < 0 || j < 0) continue;
      const Phase &row = rows[i], &col = cols[j];
      const int64_t steps = steps_of(row, col, Kg);
      const int64_t step = ((row.last - kh) / row.every * col.axis.taps + (col.last - kw) / col.every) * Kg;
      const int nr = panels.width(index);
      pack_panel_transposed(a.w + (tap * Cg + panels.first(index) * Vec::width) * s.K + group * Kg, s.K, Kg, nr, panels.tail(index),
                            packed[i * cols.count + j] + group * panels.size(steps) + panels.offset(index, steps) + step * nr * Vec::width);
    }
  });
}

// By minimal filtering: a convolution of the gradient with the taps in reverse order and input and output channels exchanged; to cells
// where there is a stride.
static void filtered_backward_input(Filter filter, const Conv2dShape& f, const Conv2dBackwardInputArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  const int64_t taps = f.kh * f.kw, tap = f.K * f.C, pieces = (s.C + kTransposeRows - 1) / kTransposeRows;
  const int64_t units = s.kh * s.kw * pieces;
  bool made;
  float* const exchanged = static_cast<float*>(context.keep(static_cast<size_t>(taps * tap) * sizeof(float), &made));
  if (!made && s.kh * s.kw * s.C < taps * f.C) memset(exchanged, 0, static_cast<size_t>(taps * tap) * sizeof(float));
  const int64_t chunks = larger<int64_t>(1, smaller(units, taps * tap / kPackGrain));
  context.parallel(made ? 0 : chunks, [&](int64_t chunk, int) {
    for (int64_t unit = chunk * units / chunks; unit < (chunk + 1) * units / chunks; ++unit) {
      const int64_t t = unit / pieces, c = unit % pieces * kTransposeRows, row = row_of_cells(s, f, t);
      transpose_matrix(a.w + (t * s.C + c) * s.K, s.K, smaller(kTransposeRows, s.C - c), s.K, exchanged + row / f.C * tap + row % f.C + c,
                       f.C);
    }
  });
  const FilterWeights weights = {exchanged + (taps - 1) * tap, -f.kw * tap, -tap, f.C};
  if (!is_strided(s)) return filter_forward(filter, filtered_back(f), weights, a.g, a.b, a.dx, context);
  const auto floats = [&](int64_t n) { return static_cast<float*>(context.scratch(static_cast<size_t>(n) * sizeof(float))); };
  float* const cells = floats(f.N * f.H * f.W * f.C);
  float* const b = a.b ? floats(f.C) : nullptr;
  for (int64_t c = 0; b && c < f.C; ++c) b[c] = a.b[c % s.C];
  filter_forward(filter, filtered_back(f), weights, a.g, b, cells, context);
  image_of_cells(s, f, cells, a.dx, context);
}

// Groups of a few channels, of one phase: a convolution of the gradient with the taps in reverse order and each group's weights transposed.
static void grouped_backward_input(const Conv2dBackwardInputArgs<float>& a, const Phase& row, const Phase& col, float* dx,
                                   Context& context) {
  const Conv2dShape& s = a.shape;
  const int64_t size = s.C / s.groups, taps = s.kh * s.kw, tap = size * s.C;
  bool made;
  float* const w = static_cast<float*>(context.keep(static_cast<size_t>(taps * tap) * sizeof(float), &made));
  split(context, made ? 0 : taps * size, kPackGrain / 4 / s.C, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {  // of a tap and an input channel: its groups
      const float* const from = a.w + row * s.C;
      float* const to = w + row / size * tap + row % size;
      for (int64_t first = 0; first < s.C; first += size) {
        for (int64_t k = 0; k < size; ++k) to[first + k * s.C] = from[first + k];
      }
    }
  });
  const Depthwise d = {{a.g, s.N, s.C, s.C, row.axis, col.axis},
                       w + (row.last * s.kw + col.last) * tap,
                       -row.every * s.kw * tap,
                       -col.every * tap,
                       a.b,
                       dx,
                       s.H * s.W * s.C,
                       s.sh * s.W * s.C,
                       s.sw * s.C,
                       nullptr,
                       size,
                       s.C};
  depthwise(context, &d, 1);
}

void conv2d_backward_input(const Conv2dBackwardInputArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  if (s.N == 0 || s.H == 0 || s.W == 0) return;
  if (const Sparse g = sparse_of(s, a.g, context); g.entries && all_finite(a.w, s.kh * s.kw * s.C * s.K))
    return sparse_backward_input(a, g, context);
  if (s.sh == 1 && s.sw == 1) {  // one phase, of all taps in reverse order
    const Source source = {a.g,
                           s.N,
                           s.K,
                           s.K / s.groups,
                           {s.H, s.OH, 1, s.kh, s.dh, s.top - (s.kh - 1) * s.dh},
                           {s.W, s.OW, 1, s.kw, s.dw, s.left - (s.kw - 1) * s.dw}};
    const int64_t tap = s.C * s.K;
    if (planes_pay(s, source, s.C, smaller(scatter_cost(s), gather_cost(s))))
      return convolve_planes({source, a.w + (s.kh * s.kw - 1) * tap, -s.kw * tap, -tap, 1, s.K, a.b, a.dx, s.C}, context);
  }
  if (can_filter(s)) {
    const Conv2dShape f = is_strided(s) ? of_cells(s) : s;
    const int64_t direct = s.N * (scatter_pays(s) ? scatter_cost(s) : gather_cost(s));
    if (const Filter filter = filter_for(f, filtered_back(f), transformed_in(context), direct); filter != Filter::none && cells_fit(s, f))
      return filtered_backward_input(filter, f, a, context);
  }
  if (scatter_pays(s)) return scatter(a, context);
  const Phases rows = phases_of(s.H, s.OH, s.kh, s.sh, s.top, s.dh, context);
  const Phases cols = phases_of(s.W, s.OW, s.kw, s.sw, s.left, s.dw, context);
  fill_unreached(a, rows, cols, context);

  const int64_t Cg = s.C / s.groups, Kg = s.K / s.groups, count = rows.count * cols.count;
  const int64_t dx_image = s.H * s.W * s.C, dx_row = s.sh * s.W * s.C, dx_col = s.sw * s.C;
  const auto dx_of = [&](const Phase& row, const Phase& col) { return a.dx + (row.number * s.W + col.number) * s.C; };
  if (count == 0) return;
  if (is_depthwise(s)) {
    Depthwise* parts = static_cast<Depthwise*>(context.scratch(static_cast<size_t>(count) * sizeof(Depthwise)));
    for (int64_t p = 0; p < count; ++p) {
      const Phase &row = rows[p / cols.count], &col = cols[p % cols.count];
      const float* w = a.w + (row.last * s.kw + col.last) * s.K;
      const Source source = {a.g, s.N, s.K, Kg, row.axis, col.axis};
      parts[p] = {source, w, -row.every * s.kw * s.K, -col.every * s.K, a.b, dx_of(row, col), dx_image, dx_row, dx_col};
    }
    return depthwise(context, parts, count);
  }

  if (is_grouped(s) && count == 1 && slides({a.g, s.N, s.K, Kg, rows[0].axis, cols[0].axis}, Kg))
    return grouped_backward_input(a, rows[0], cols[0], dx_of(rows[0], cols[0]), context);

  const Panels panels(Cg);
  Gather* gathers = static_cast<Gather*>(context.scratch(static_cast<size_t>(count) * sizeof(Gather)));
  float** packed = static_cast<float**>(context.scratch(static_cast<size_t>(count) * sizeof(float*)));
  bool made = true;
  for (int64_t p = 0; p < count; ++p) {
    const Phase &row = rows[p / cols.count], &col = cols[p % cols.count];
    const size_t size = static_cast<size_t>(s.groups * panels.size(steps_of(row, col, Kg))) * sizeof(float);
    packed[p] = static_cast<float*>(context.keep(size, &made));
    gathers[p] = {{a.g, s.N, s.K, Kg, row.axis, col.axis}, packed[p], 0, a.b, dx_of(row, col), dx_image, dx_row, dx_col, Cg};
  }
  if (!made) pack_weights(a, rows, cols, panels, packed, context);
  gather(context, gathers, count);
}

}  // namespace receptive::RECEPTIVE_ISA
