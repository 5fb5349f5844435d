// Gradient of a convolution with respect to its input: the loop nest of conv2d_gather.h over the output's gradient.
//
// Along one axis, input cell h receives g[i] * w[a] wherever i*stride + a*dilation - padding = h. Cells of one phase, h = phase + u*stride,
// take the same taps: those with (phase + padding - a*dilation) divisible by the stride, a = first + q*every, and each reads
// i = u + (phase + padding - a*dilation)/stride. That is a convolution of stride 1 over g with fewer taps, in reverse order: stride s
// is s*s convolutions, stride 1 is one with the kernel flipped. Input and output channels change places in the packed weights.
#include "conv2d_depthwise.h"
#include "conv2d_gather.h"
#include "conv2d_scatter.h"

namespace receptive::RECEPTIVE_ISA {

void conv2d_backward_input(const Conv2dBackwardInputArgs<float>&, Context&);

// The taps of one phase along one axis: kernel indices last, last - every, ... in the order the axis counts them.
struct Phase {
  Axis axis;
  int64_t last, every;
};

static Phase phase_of(int64_t phase, int64_t in, int64_t out, int64_t taps, int64_t stride, int64_t padding, int64_t dilation) {
  int64_t divisor = stride;
  for (int64_t a = dilation; a != 0;) {
    const int64_t rest = divisor % a;
    divisor = a;
    a = rest;
  }
  const int64_t every = stride / divisor;
  int64_t first = 0;
  while (first < every && (phase + padding - first * dilation) % stride != 0) ++first;
  const int64_t count = first < every && first < taps ? (taps - 1 - first) / every + 1 : 0;
  const int64_t last = first + (count - 1) * every;
  const int64_t origin = count ? (phase + padding - last * dilation) / stride : 0;
  return {{(in - phase + stride - 1) / stride, out, 1, count, dilation / divisor, origin}, last, every};
}

static int64_t steps_of(const Phase& rows, const Phase& cols, int64_t channels) { return rows.axis.taps * cols.axis.taps * channels; }

void conv2d_backward_input(const Conv2dBackwardInputArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  if (s.N == 0 || s.H == 0 || s.W == 0) return;
  if (scatter_pays(s)) return scatter(a, context);
  const int64_t Cg = s.C / s.groups, Kg = s.K / s.groups;
  const int64_t phases_h = smaller(s.sh, s.H), phases_w = smaller(s.sw, s.W), count = phases_h * phases_w;
  const Panels panels(Cg);

  Phase* rows = static_cast<Phase*>(context.scratch(static_cast<size_t>(phases_h) * sizeof(Phase)));
  Phase* cols = static_cast<Phase*>(context.scratch(static_cast<size_t>(phases_w) * sizeof(Phase)));
  for (int64_t p = 0; p < phases_h; ++p) rows[p] = phase_of(p, s.H, s.OH, s.kh, s.sh, s.top, s.dh);
  for (int64_t p = 0; p < phases_w; ++p) cols[p] = phase_of(p, s.W, s.OW, s.kw, s.sw, s.left, s.dw);

  // Packed weights of phase after phase; with each tap in at most one phase they are no more than the padded kernel.
  float* packed = static_cast<float*>(context.scratch(static_cast<size_t>(s.groups * panels.size(s.kh * s.kw * Kg)) * sizeof(float)));
  Gather* gathers = static_cast<Gather*>(context.scratch(static_cast<size_t>(count) * sizeof(Gather)));
  int64_t* starts = static_cast<int64_t*>(context.scratch(static_cast<size_t>(count) * sizeof(int64_t)));
  int64_t used = 0;
  for (int64_t p = 0; p < count; ++p) {
    const Phase &row = rows[p / phases_w], &col = cols[p % phases_w];
    const Source source = {a.g, s.N, s.K, Kg, row.axis, col.axis};
    float* dx = a.dx + (p / phases_w * s.W + p % phases_w) * s.C;
    const int64_t dx_image = s.H * s.W * s.C, dx_row = s.sh * s.W * s.C, dx_col = s.sw * s.C;
    if (is_depthwise(s)) {
      depthwise({source, a.w + (row.last * s.kw + col.last) * s.K, -row.every * s.kw * s.K, -col.every * s.K, nullptr, dx, dx_image, dx_row,
                 dx_col},
                context);
      continue;
    }
    gathers[p] = {source, packed + used, 0, nullptr, dx, dx_image, dx_row, dx_col, Cg};
    starts[p] = used;
    used += s.groups * panels.size(steps_of(row, col, Kg));
  }

  if (is_depthwise(s)) return;

  // One unit packs one tap, which belongs to one phase, for one group and panel: a transposed piece of w.
  const int64_t units = s.kh * s.kw * s.groups * panels.count();
  const auto pack = [&](int64_t unit) {
    const int64_t index = unit % panels.count(), group = unit / panels.count() % s.groups, tap = unit / panels.count() / s.groups;
    const int64_t kh = tap / s.kw, kw = tap % s.kw;
    const int64_t phase_h = (kh * s.dh - s.top) % s.sh, phase_w = (kw * s.dw - s.left) % s.sw;
    const int64_t h = phase_h < 0 ? phase_h + s.sh : phase_h, w = phase_w < 0 ? phase_w + s.sw : phase_w;
    if (h >= phases_h || w >= phases_w) return;
    const Phase &row = rows[h], &col = cols[w];
    const int64_t steps = steps_of(row, col, Kg), nr = panels.width(index);
    const int64_t step = ((row.last - kh) / row.every * col.axis.taps + (col.last - kw) / col.every) * Kg;
    float* dst = packed + starts[h * phases_w + w] + group * panels.size(steps) + panels.offset(index, steps) + step * nr * Vec::width;
    pack_panel_transposed(a.w + (tap * Cg + panels.first(index) * Vec::width) * s.K + group * Kg, s.K, Kg, static_cast<int>(nr),
                          panels.tail(index), dst);
  };
  const int64_t chunks = smaller((s.kh * s.kw * Cg * s.K + kPackGrain - 1) / kPackGrain, units);
  context.parallel(chunks, [&](int64_t chunk, int) {
    for (int64_t unit = chunk * units / chunks; unit < (chunk + 1) * units / chunks; ++unit) pack(unit);
  });
  gather(context, gathers, count);
}

}  // namespace receptive::RECEPTIVE_ISA
