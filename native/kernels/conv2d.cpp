// Forward convolution: by planes (conv2d_planes.h) where there are few channels, by minimal filtering (conv2d_winograd.h) where that costs
// less, of cells (conv2d_cells.h) where there is a stride, else packs the weights into panels, then the loop nest of conv2d_gather.h.
#include "../ops/conv2d.h"

#include "conv2d_cells.h"
#include "conv2d_depthwise.h"
#include "conv2d_gather.h"
#include "conv2d_planes.h"
#include "conv2d_widen.h"
#include "conv2d_winograd.h"

namespace receptive::RECEPTIVE_ISA {

void conv2d(const Conv2dArgs<float>&, Context&);

constexpr int64_t kFewPixels = 256;  // outputs, below which weights are read where they lie

// w [kh,kw,Cg,K] is one matrix [steps][K]; each group has the panels of its own columns.
static const float* pack_weights(const Conv2dArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  const int64_t steps = s.kh * s.kw * (s.C / s.groups), out = s.K / s.groups;
  const Panels panels(out);
  bool made;
  float* packed = static_cast<float*>(context.keep(static_cast<size_t>(s.groups * panels.size(steps)) * sizeof(float), &made));
  if (made) return packed;
  // Pieces of a panel of about a fixed number of steps.
  const int64_t grain = 512, pieces = (steps + grain - 1) / grain, units = s.groups * panels.count() * pieces;
  const auto pack = [&](int64_t unit) {
    const int64_t piece = unit % pieces, index = unit / pieces % panels.count(), group = unit / pieces / panels.count();
    const int64_t begin = piece * grain, nr = panels.width(index);
    pack_panel(a.w + begin * s.K + group * out + panels.first(index) * Vec::width, s.K, smaller(grain, steps - begin), static_cast<int>(nr),
               panels.tail(index), packed + group * panels.size(steps) + panels.offset(index, steps) + begin * nr * Vec::width);
  };
  const int64_t chunks = (steps * s.K + kPackGrain - 1) / kPackGrain;
  context.parallel(smaller(chunks, units), [&](int64_t chunk, int) {
    const int64_t count = smaller(chunks, units);
    for (int64_t unit = chunk * units / count; unit < (chunk + 1) * units / count; ++unit) pack(unit);
  });
  return packed;
}

static void conv2d_widened(const Conv2dArgs<float>& a, int64_t q, Context& context) {
  const Conv2dShape& s = a.shape;
  const Conv2dShape wide = widened(s, q);
  const size_t size = static_cast<size_t>(wide.kh * wide.kw * wide.C * wide.K) * sizeof(float);
  float* w = static_cast<float*>(context.scratch(size));
  memset(w, 0, size);
  each_weight_row(s, wide, q, [&](int64_t row, int64_t wide_row, int64_t column) {
    memcpy(w + wide_row * wide.K + column, a.w + row * s.K, static_cast<size_t>(s.K) * sizeof(float));
  });
  float* b = nullptr;
  if (a.b) {
    b = static_cast<float*>(context.scratch(static_cast<size_t>(wide.K) * sizeof(float)));
    for (int64_t i = 0; i < wide.K; ++i) b[i] = a.b[i % s.K];
  }
  conv2d({wide, a.x, w, b, a.add, a.y, a.clip}, context);
}

// Weights for cells, zero where a pixel has no tap.
static const float* weights_of_cells(const Conv2dArgs<float>& a, const Conv2dShape& cells, Context& context) {
  const Conv2dShape& s = a.shape;
  const int64_t tap = s.C * s.K, size = cells.kh * cells.kw * cells.C * s.K;
  bool made;
  float* const w = static_cast<float*>(context.keep(static_cast<size_t>(size) * sizeof(float), &made));
  if (made) return w;
  if (s.kh * s.kw * tap < size) memset(w, 0, static_cast<size_t>(size) * sizeof(float));
  split(context, s.kh * s.kw, kPackGrain / tap, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = begin; t < end; ++t) copy_floats(a.w + t * tap, tap, w + row_of_cells(s, cells, t) * s.K);
  });
  return w;
}

void conv2d(const Conv2dArgs<float>& a, Context& context) {
  const Conv2dShape& s = a.shape;
  if (s.N == 0) return;
  const Finish given = {a.y, a.add, a.clip};
  const Finish* const finish = a.add || clips(a.clip) ? &given : nullptr;
  const Source source = input_of(s, a.x);
  const int64_t q = pixels_together(s);
  if (planes_pay(s, source, s.K, widened_cost(s, q))) {
    return convolve_planes({source, a.w, s.kw * s.C * s.K, s.C * s.K, s.K, 1, a.b, a.y, s.K, finish}, context);
  }
  if (can_filter(s)) {
    const Conv2dShape f = is_strided(s) ? of_cells(s) : s;
    const int64_t direct = s.N * widened_cost(s, q);
    if (const Filter filter = filter_for(f, filtered(f), transformed_in(context), direct); filter != Filter::none && cells_fit(s, f)) {
      const float *x = a.x, *w = a.w;
      if (is_strided(s)) x = cells_of_image(s, f, x, context), w = weights_of_cells(a, f, context);
      return filter_forward(filter, filtered(f), {w, f.kw * f.C * f.K, f.C * f.K, f.K}, x, a.b, a.y, context, finish);
    }
  }
  if (q > 1) return conv2d_widened(a, q, context);
  const int64_t y_image = s.OH * s.OW * s.K, y_row = s.OW * s.K, y_col = s.K;
  if (is_depthwise(s) || (is_grouped(s) && slides(source, source.window))) {
    const int64_t group = s.C / s.groups, tap = group * s.K;
    const Depthwise d = {source, a.w, s.kw * tap, tap, a.b, a.y, y_image, y_row, y_col, finish, group, s.K};
    depthwise(context, &d, 1);
  } else {
    // Packing costs about a pass over the weights: too much where few pixels use them, and they are packed for one run. Sums are the same
    // where they are kept until something writes them.
    const bool few = s.N * s.OH * s.OW <= kFewPixels && s.K / s.groups % Vec::width == 0 && !context.always_keeps();
    const bool in_place = few && !context.keeps();
    const float* const w = in_place ? a.w : pack_weights(a, context);
    const Gather g = {source, w, in_place ? s.K : 0, a.b, a.y, y_image, y_row, y_col, s.K / s.groups, finish, few};
    gather(context, &g, 1);
  }
}

}  // namespace receptive::RECEPTIVE_ISA
