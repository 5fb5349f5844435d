// Group norm where there are more places than one: an item is a sample, whose sums go down its columns, as in batch norm, before the
// channels of a group are joined.
#pragma once

#include "../ops/group_norm.h"
#include "group_norm_items.h"

namespace receptive::RECEPTIVE_ISA {

// Arrays of a number for each channel along a unit of rows, one set for each thread.
class SlotArrays {
 public:
  SlotArrays(int64_t arrays, int64_t channels, int64_t unit, Context& context)
      : arrays_(arrays),
        channels_(channels),
        unit_(unit),
        memory_(static_cast<float*>(context.scratch(static_cast<size_t>(context.threads() * arrays * unit) * sizeof(float)))) {}
  float* of(int slot, int64_t array) const { return memory_ + (slot * arrays_ + array) * unit_; }
  // To be called once the first of each number is there.
  void repeat(int slot) const {
    for (int64_t array = 0; array < arrays_; ++array) repeat_along(of(slot, array), channels_, unit_);
  }

 private:
  int64_t arrays_, channels_, unit_;
  float* memory_;
};

RECEPTIVE_INLINE void norm_of_columns(const GroupNormArgs<float>& a, Context& context) {
  const int64_t C = a.groups * a.depth, S = a.places, unit = unit_of(S, C);
  const Items items{a.samples, S, S * C};
  const SlotArrays arrays(3, C, unit, context);
  const double m = static_cast<double>(S * a.depth);
  each_item(
      items, 2 * C, context,
      [&](int64_t sample, int64_t first, int64_t rows, double* totals, int) {
        column_moments(a.x + (sample * S + first) * C, rows, C, {totals, totals + C});
      },
      // The moments of a group end up where those of its first channel were.
      [&](int64_t sample, double* totals, int64_t pieces, int64_t) {
        double *mean = totals, *squares = totals + C;
        for (int64_t p = 1; p < pieces; ++p) {
          const Counts counts = counts_of(items, p);
          const double *other_mean = totals + p * 2 * C, *other_squares = other_mean + C;
          for (int64_t c = 0; c < C; ++c) join_moments(mean + c, squares + c, counts.before, other_mean[c], other_squares[c], counts.own);
        }
        for (int64_t k = 0; k < a.groups; ++k) {
          const int64_t c = k * a.depth;
          for (int64_t d = 1; d < a.depth; ++d) {
            join_moments(mean + c, squares + c, static_cast<double>(d * S), mean[c + d], squares[c + d], static_cast<double>(S));
          }
          squares[c] = 1 / ::sqrt(squares[c] / m + a.eps);
          a.mean[sample * a.groups + k] = static_cast<float>(mean[c]);
          a.invstd[sample * a.groups + k] = static_cast<float>(squares[c]);
        }
      },
      [&](int64_t sample, int64_t first, int64_t rows, const double* totals, int slot) {
        float *centres = arrays.of(slot, 0), *scales = arrays.of(slot, 1), *shifts = arrays.of(slot, 2);
        for (int64_t k = 0; k < a.groups; ++k) {
          const double mean = totals[k * a.depth], invstd = totals[C + k * a.depth];
          RECEPTIVE_VECTORISE
          for (int64_t c = k * a.depth; c < (k + 1) * a.depth; ++c) {
            const double scale = invstd * (a.gamma ? a.gamma[c] : 1);
            centres[c] = static_cast<float>(mean);
            scales[c] = static_cast<float>(scale);
            // with what the centre lost when it was rounded
            shifts[c] = static_cast<float>((a.beta ? a.beta[c] : 0) + (static_cast<double>(centres[c]) - mean) * scale);
          }
        }
        arrays.repeat(slot);
        const int64_t begin = (sample * S + first) * C;
        along_rows(begin, begin + rows * C, unit, [&](int64_t i, int64_t c, int lanes) {
          const Vec deviation = load_some(a.x + i, lanes) - load_some(centres + c, lanes);
          store_some(a.y + i, fma(deviation, load_some(scales + c, lanes), load_some(shifts + c, lanes)), lanes);
        });
      });
}

RECEPTIVE_INLINE void gradients_of_columns(const GroupNormBackwardArgs<float>& a, Context& context) {
  const int64_t C = a.groups * a.depth, S = a.places, unit = unit_of(S, C);
  const Items items{a.samples, S, S * C};
  const SlotArrays arrays(4, C, unit, context);
  const double m = static_cast<double>(S * a.depth);
  // Σ g and Σ g x̂ of each channel over the samples of a chunk
  const int64_t chunks = larger<int64_t>(items.chunks(), 1);
  double* over_samples = static_cast<double*>(context.scratch(static_cast<size_t>(chunks * 2 * C) * sizeof(double)));
  memset(over_samples, 0, static_cast<size_t>(chunks * 2 * C) * sizeof(double));
  const auto fill_centres = [&](int64_t sample, float* centres) {
    for (int64_t c = 0; c < C; ++c) centres[c] = a.mean[sample * a.groups + c / a.depth];
  };
  each_item(
      items, 2 * C, context,
      [&](int64_t sample, int64_t first, int64_t rows, double* totals, int slot) {
        fill_centres(sample, arrays.of(slot, 0));
        const int64_t at = (sample * S + first) * C;
        column_products(a.g + at, a.x + at, arrays.of(slot, 0), rows, C, {totals, totals + C});
      },
      // The sums of a group end up where those of its first channel were.
      [&](int64_t sample, double* totals, int64_t pieces, int64_t chunk) {
        const Totals own{totals, totals + C};
        for (int64_t p = 1; p < pieces; ++p) add_totals(own, {totals + p * 2 * C, totals + (p * 2 + 1) * C}, C);
        double* all = over_samples + chunk * 2 * C;
        for (int64_t k = 0; k < a.groups; ++k) {
          double sum_g = 0, sum_gx = 0;
          for (int64_t c = k * a.depth; c < (k + 1) * a.depth; ++c) {
            const double gamma = a.gamma ? a.gamma[c] : 1;
            all[c] += own.first[c];
            all[C + c] += own.second[c] * a.invstd[sample * a.groups + k];
            sum_g += gamma * own.first[c];
            sum_gx += gamma * own.second[c];
          }
          own.first[k * a.depth] = sum_g;
          own.second[k * a.depth] = sum_gx;
        }
      },
      [&](int64_t sample, int64_t first, int64_t rows, const double* totals, int slot) {
        if (!a.dx) return;
        float *centres = arrays.of(slot, 0), *scales = arrays.of(slot, 1), *slopes = arrays.of(slot, 2), *shifts = arrays.of(slot, 3);
        fill_centres(sample, centres);
        for (int64_t k = 0; k < a.groups; ++k) {
          const double invstd = a.invstd[sample * a.groups + k];
          RECEPTIVE_VECTORISE
          for (int64_t c = k * a.depth; c < (k + 1) * a.depth; ++c) {
            scales[c] = static_cast<float>(invstd * (a.gamma ? a.gamma[c] : 1));
            slopes[c] = static_cast<float>(-invstd * invstd * invstd * totals[C + k * a.depth] / m);
            shifts[c] = static_cast<float>(-invstd * totals[k * a.depth] / m);
          }
        }
        arrays.repeat(slot);
        const int64_t begin = (sample * S + first) * C;
        along_rows(begin, begin + rows * C, unit, [&](int64_t i, int64_t c, int lanes) {
          const Vec deviation = load_some(a.x + i, lanes) - load_some(centres + c, lanes);
          const Vec rest = fma(load_some(slopes + c, lanes), deviation, load_some(shifts + c, lanes));
          store_some(a.dx + i, fma(load_some(scales + c, lanes), load_some(a.g + i, lanes), rest), lanes);
        });
      });
  for (int64_t chunk = 1; chunk < chunks; ++chunk) {
    const double* next = over_samples + chunk * 2 * C;
    RECEPTIVE_VECTORISE
    for (int64_t i = 0; i < 2 * C; ++i) over_samples[i] += next[i];
  }
  for (int64_t c = 0; a.dgamma && c < C; ++c) a.dgamma[c] = static_cast<float>(over_samples[C + c]);
  for (int64_t c = 0; a.dbeta && c < C; ++c) a.dbeta[c] = static_cast<float>(over_samples[c]);
}

}  // namespace receptive::RECEPTIVE_ISA
