// Batch normalisation: one pass over x for both moments, one to normalise; backward, one pass for both sums and one for dx.
#include "../ops/batch_norm.h"

#include <math.h>

#include "columns.h"

namespace receptive::RECEPTIVE_ISA {

void batch_norm_train(const BatchNormTrainArgs<float>&, Context&);
void batch_norm_infer(const BatchNormInferArgs<float>&, Context&);
void batch_norm_backward(const BatchNormBackwardArgs<float>&, Context&);

// Where the gradient comes from: as it is, stopped where the output y was clipped, or where the output computed again was.
enum class Gate { open, output, recomputed };

// What a gate needs: scale and shift of each channel, or a block's y and where what is left of g goes.
struct GateArgs {
  Vec low, most;
  const float* scale;
  const float* shift;
  const float* y;
  float* left;  // null: not wanted
};

// The largest value below the upper end: infinity where there is none, for a rectifier lets through the gradient of that, too.
RECEPTIVE_INLINE Vec most_of(const Clip& clip) {
  const float high = static_cast<float>(clip.high);
  return broadcast(high < INFINITY ? nextafterf(high, -INFINITY) : high);
}

RECEPTIVE_INLINE Vec between(Vec g, Vec value, Vec low, Vec most) { return select(value > low, select(value > most, zero(), g), zero()); }

// block_products of columns.h for what the gate lets through.
template <int V, Gate kGate>
RECEPTIVE_INLINE void gated_products(const float* g, const float* x, int64_t stride, int64_t rows, int lanes, const float* mean,
                                     GateArgs gate, double* sum_g, double* sum_gx) {
  Vec centre[V], scale[V], shift[V], s1[V], s2[V];
  for (int v = 0; v < V; ++v) {
    centre[v] = load_some(mean + v * Vec::width, lanes);
    if (kGate == Gate::recomputed) {
      scale[v] = load_some(gate.scale + v * Vec::width, lanes);
      shift[v] = load_some(gate.shift + v * Vec::width, lanes);
    }
    s1[v] = s2[v] = zero();
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int v = 0; v < V; ++v) {
      const int64_t at = r * stride + v * Vec::width;
      const Vec deviation = load_some(x + at, lanes) - centre[v];
      Vec gv = load_some(g + at, lanes);
      if (kGate == Gate::recomputed) gv = between(gv, fma(deviation, scale[v], shift[v]), gate.low, gate.most);
      if (kGate == Gate::output) {
        gv = between(gv, load_some(gate.y + at, lanes), gate.low, gate.most);
        if (gate.left) store_some(gate.left + at, gv, lanes);
      }
      s1[v] = s1[v] + gv;
      s2[v] = fma(gv, deviation, s2[v]);
    }
  }
  float first[V * Vec::width], second[V * Vec::width];
  for (int v = 0; v < V; ++v) {
    store(first + v * Vec::width, s1[v]);
    store(second + v * Vec::width, s2[v]);
  }
  RECEPTIVE_VECTORISE
  for (int i = 0; i < (V == 1 ? lanes : V * Vec::width); ++i) {
    sum_g[i] += first[i];
    sum_gx[i] += second[i];
  }
}

// y = scale (x - centre) + shift + add, clipped.
RECEPTIVE_INLINE void normalise(const float* x, const float* centres, const float* scales, const float* shifts, const float* add,
                                const Clip& clip, float* y, int64_t size, int64_t unit, Context& context) {
  const Vec low = broadcast(static_cast<float>(clip.low)), high = broadcast(static_cast<float>(clip.high));
  const bool far = writes_far(y, size, unit);
  along_rows(size, unit, context, [&](int64_t i, int64_t c, int lanes) {
    const Vec deviation = load_some(x + i, lanes) - load_some(centres + c, lanes);
    Vec value = fma(deviation, load_some(scales + c, lanes), load_some(shifts + c, lanes));
    if (add) value = value + load_some(add + i, lanes);
    value = min(high, max(low, value));  // in this order NaN passes through
    far ? store_far(y + i, value) : store_some(y + i, value, lanes);
  });
}

void batch_norm_train(const BatchNormTrainArgs<float>& a, Context& context) {
  const int64_t C = a.channels;
  if (C == 0) return;
  const double m = static_cast<double>(a.rows);
  const Totals moments = sum_rows(
      a.rows, C, context, [&](int64_t first, int64_t rows, const Totals& t) { column_moments(a.x + first * C, rows, C, t); },
      [&](const Totals& t, int64_t rows, const Totals& next, int64_t next_rows) {
        for (int64_t c = 0; c < C; ++c) {
          join_moments(t.first + c, t.second + c, static_cast<double>(rows), next.first[c], next.second[c], static_cast<double>(next_rows));
        }
      });

  const auto invstd = [&](int64_t c) { return 1 / ::sqrt(moments.second[c] / m + a.eps); };
  const auto scale = [&](int64_t c) { return invstd(c) * (a.gamma ? a.gamma[c] : 1); };
  const int64_t unit = unit_of(a.rows, C);
  const float* centres = along_unit(C, unit, context, [&](int64_t c) { return moments.first[c]; });
  const float* scales = along_unit(C, unit, context, scale);
  const float* shifts = along_unit(C, unit, context, [&](int64_t c) {  // with what the centre lost when it was rounded
    return (a.beta ? a.beta[c] : 0) + (static_cast<double>(centres[c]) - moments.first[c]) * scale(c);
  });
  for (int64_t c = 0; c < C; ++c) {
    const double mean = moments.first[c], unbiased = moments.second[c] / (m - 1);
    a.mean[c] = static_cast<float>(mean);
    a.invstd[c] = static_cast<float>(invstd(c));
    if (a.running_mean) a.running_mean[c] = static_cast<float>((1 - a.momentum) * a.running_mean[c] + a.momentum * mean);
    if (a.running_var) a.running_var[c] = static_cast<float>((1 - a.momentum) * a.running_var[c] + a.momentum * unbiased);
  }
  normalise(a.x, centres, scales, shifts, a.add, a.clip, a.y, a.rows * C, unit, context);
}

void batch_norm_infer(const BatchNormInferArgs<float>& a, Context& context) {
  const int64_t C = a.channels;
  if (C == 0) return;
  const int64_t unit = unit_of(a.rows, C);
  const auto invstd = [&](int64_t c) { return 1 / ::sqrt(static_cast<double>(a.var[c]) + a.eps); };
  const float* centres = along_unit(C, unit, context, [&](int64_t c) { return a.mean[c]; });
  const float* scales = along_unit(C, unit, context, [&](int64_t c) { return invstd(c) * (a.gamma ? a.gamma[c] : 1); });
  const float* shifts = along_unit(C, unit, context, [&](int64_t c) { return a.beta ? a.beta[c] : 0.0f; });
  for (int64_t c = 0; a.invstd && c < C; ++c) a.invstd[c] = static_cast<float>(invstd(c));
  normalise(a.x, centres, scales, shifts, a.add, a.clip, a.y, a.rows * C, unit, context);
}

// One block of rows after the other: Σ g and Σ g (x - mean) of a piece.
template <Gate kGate>
RECEPTIVE_INLINE void gradient_sums(const BatchNormBackwardArgs<float>& a, const float* scales, const float* shifts, int64_t first,
                                    int64_t rows, const Totals& t) {
  const int64_t C = a.channels;
  const Vec low = broadcast(static_cast<float>(a.clip.low)), most = most_of(a.clip);
  for (int64_t r = 0; r < rows; r += kBlock) {
    const int64_t at = (first + r) * C, n = smaller(kBlock, rows - r);
    const auto gate = [&](int64_t c) {
      return GateArgs{low, most, scales + c, shifts + c, a.y + at + c, a.dadd ? a.dadd + at + c : nullptr};
    };
    const float *g = a.g + at, *x = a.x + at;
    int64_t c = 0;
    for (; c + kPanel <= C; c += kPanel) {
      gated_products<kVectors, kGate>(g + c, x + c, C, n, Vec::width, a.mean + c, gate(c), t.first + c, t.second + c);
    }
    for (; c < C; c += Vec::width) {
      const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, C - c));
      gated_products<1, kGate>(g + c, x + c, C, n, lanes, a.mean + c, gate(c), t.first + c, t.second + c);
    }
  }
}

// dx = scale g + slope (x - centre) + offset; slope and offset are null where the statistics were constants. Without dx, what the gate lets
// through goes to dadd.
template <Gate kGate>
RECEPTIVE_INLINE void input_gradient(const BatchNormBackwardArgs<float>& a, const float* g, const float* centres, const float* scales,
                                     const float* shifts, const float* slopes, const float* offsets, int64_t unit, Context& context) {
  const Vec low = broadcast(static_cast<float>(a.clip.low)), most = most_of(a.clip);
  const int64_t size = a.rows * a.channels;
  const bool far = writes_far(a.dx, size, unit);
  along_rows(size, unit, context, [&](int64_t i, int64_t c, int lanes) {
    const Vec scale = load_some(scales + c, lanes), deviation = load_some(a.x + i, lanes) - load_some(centres + c, lanes);
    Vec gv = load_some(g + i, lanes);
    if (kGate == Gate::recomputed) gv = between(gv, fma(deviation, scale, load_some(shifts + c, lanes)), low, most);
    if (kGate == Gate::output) gv = between(gv, load_some(a.y + i, lanes), low, most);
    Vec dx = scale * gv;
    if (slopes) dx = dx + fma(load_some(slopes + c, lanes), deviation, load_some(offsets + c, lanes));
    far ? store_far(a.dx + i, dx) : store_some(a.dx + i, dx, lanes);
  });
}

void batch_norm_backward(const BatchNormBackwardArgs<float>& a, Context& context) {
  const int64_t C = a.channels;
  if (C == 0) return;
  const int64_t unit = unit_of(a.rows, C);
  const double m = static_cast<double>(a.rows);
  const float* centres = along_unit(C, unit, context, [&](int64_t c) { return a.mean[c]; });
  const float* scales =
      along_unit(C, unit, context, [&](int64_t c) { return static_cast<double>(a.invstd[c]) * (a.gamma ? a.gamma[c] : 1); });
  const float* shifts = along_unit(C, unit, context, [&](int64_t c) { return a.beta ? a.beta[c] : 0; });
  Gate gate = !clips(a.clip) ? Gate::open : a.y ? Gate::output : Gate::recomputed;
  const float* g = a.g;
  Totals sums{};  // Σ g and Σ g (x - mean)
  if (a.training || a.dgamma || a.dbeta || a.dadd) {
    sums = sum_rows(
        a.rows, C, context,
        [&](int64_t first, int64_t rows, const Totals& t) {
          switch (gate) {
            case Gate::open: return column_products(a.g + first * C, a.x + first * C, a.mean, rows, C, t);
            case Gate::output: return gradient_sums<Gate::output>(a, scales, shifts, first, rows, t);
            case Gate::recomputed: return gradient_sums<Gate::recomputed>(a, scales, shifts, first, rows, t);
          }
        },
        [&](const Totals& t, int64_t, const Totals& next, int64_t) { add_totals(t, next, C); });
    if (a.dadd) g = a.dadd, gate = Gate::open;  // the first pass has left there what comes through
  }
  for (int64_t c = 0; a.dgamma && c < C; ++c) a.dgamma[c] = static_cast<float>(sums.second[c] * a.invstd[c]);
  for (int64_t c = 0; a.dbeta && c < C; ++c) a.dbeta[c] = static_cast<float>(sums.first[c]);
  if (!a.dx) return;
  const float* slopes = nullptr;
  const float* offsets = nullptr;
  if (a.training) {
    slopes = along_unit(C, unit, context, [&](int64_t c) {
      const double invstd = a.invstd[c];
      return -scales[c] * invstd * invstd * sums.second[c] / m;
    });
    offsets = along_unit(C, unit, context, [&](int64_t c) { return -scales[c] * sums.first[c] / m; });
  }
  switch (gate) {
    case Gate::open: return input_gradient<Gate::open>(a, g, centres, scales, shifts, slopes, offsets, unit, context);
    case Gate::output: return input_gradient<Gate::output>(a, g, centres, scales, shifts, slopes, offsets, unit, context);
    case Gate::recomputed: return input_gradient<Gate::recomputed>(a, g, centres, scales, shifts, slopes, offsets, unit, context);
  }
}

}  // namespace receptive::RECEPTIVE_ISA
