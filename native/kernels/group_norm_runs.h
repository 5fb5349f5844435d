// Group norm where there is one place: the values of a group lie side by side, an item is such a run, and sums go along it.
#pragma once

#include "../ops/group_norm.h"
#include "group_norm_items.h"

namespace receptive::RECEPTIVE_ISA {

RECEPTIVE_INLINE double sum_lanes(const Vec* sums) {
  float lanes[kPanel];
  double total = 0;
  for (int v = 0; v < kVectors; ++v) store(lanes + v * Vec::width, sums[v]);
  for (int64_t i = 0; i < kPanel; ++i) total += lanes[i];
  return total;
}

// Σ of terms(i, v) over n elements, i of which begin the vectors v of a panel: lanes past the end count as zero.
template <int kinds, class Terms>
RECEPTIVE_INLINE void sum_run(int64_t n, double* totals, const Terms& terms) {
  Vec sums[kinds][kVectors];
  for (int k = 0; k < kinds; ++k) {
    for (Vec& sum : sums[k]) sum = zero();
  }
  int64_t i = 0;
  for (; i + kPanel <= n; i += kPanel) {
    for (int v = 0; v < kVectors; ++v) terms(i + v * Vec::width, Vec::width, [&](int k, Vec term) { sums[k][v] = sums[k][v] + term; });
  }
  for (; i < n; i += Vec::width) {
    const int lanes = static_cast<int>(smaller<int64_t>(Vec::width, n - i));
    terms(i, lanes, [&](int k, Vec term) { sums[k][0] = sums[k][0] + term; });
  }
  for (int k = 0; k < kinds; ++k) totals[k] += sum_lanes(sums[k]);
}

constexpr int64_t kRunBlock = kBlock * kPanel;  // lies in the first cache, and gives each lane kBlock terms

// Moments of n values side by side: of each block first the mean, then the squares of what is left.
RECEPTIVE_INLINE void run_moments(const float* x, int64_t n, double* totals) {
  for (int64_t first = 0; first < n; first += kRunBlock) {
    const float* block = x + first;
    const int64_t size = smaller(kRunBlock, n - first);
    const double count = static_cast<double>(size);
    double sum = 0, rest[2] = {0, 0};
    sum_run<1>(size, &sum, [&](int64_t i, int lanes, const auto& add) { add(0, load_some(block + i, lanes)); });
    const float centre = static_cast<float>(sum / count);
    const Vec c = broadcast(centre);
    sum_run<2>(size, rest, [&](int64_t i, int lanes, const auto& add) {
      const Vec d = load_or(block + i, lanes, c) - c;
      add(0, d);
      add(1, d * d);
    });
    join_moments(totals, totals + 1, static_cast<double>(first), centre + rest[0] / count, rest[1] - rest[0] * rest[0] / count, count);
  }
}

// Calls body(i, lanes) for the vectors of n elements.
template <class Body>
RECEPTIVE_INLINE void along_run(int64_t n, const Body& body) {
  int64_t i = 0;
  for (; i + Vec::width <= n; i += Vec::width) body(i, Vec::width);
  if (i < n) body(i, static_cast<int>(n - i));
}

RECEPTIVE_INLINE void norm_of_runs(const GroupNormArgs<float>& a, Context& context) {
  const Items items{a.samples * a.groups, a.depth, a.depth};
  const double m = static_cast<double>(a.depth);
  each_item(
      items, 2, context,
      [&](int64_t run, int64_t first, int64_t n, double* totals, int) { run_moments(a.x + run * a.depth + first, n, totals); },
      [&](int64_t run, double* totals, int64_t pieces, int64_t) {
        for (int64_t p = 1; p < pieces; ++p) {
          const Counts counts = counts_of(items, p);
          join_moments(totals, totals + 1, counts.before, totals[2 * p], totals[2 * p + 1], counts.own);
        }
        totals[1] = 1 / ::sqrt(totals[1] / m + a.eps);
        a.mean[run] = static_cast<float>(totals[0]);
        a.invstd[run] = static_cast<float>(totals[1]);
      },
      [&](int64_t run, int64_t first, int64_t n, const double* totals, int) {
        const int64_t at = run * a.depth + first, channel = run % a.groups * a.depth + first;
        const float centre = static_cast<float>(totals[0]);
        // with what the centre lost when it was rounded
        const Vec c = broadcast(centre), scale = broadcast(static_cast<float>(totals[1])),
                  shift = broadcast(static_cast<float>((static_cast<double>(centre) - totals[0]) * totals[1]));
        along_run(n, [&](int64_t i, int lanes) {
          Vec y = fma(load_some(a.x + at + i, lanes) - c, scale, shift);
          if (a.gamma) y = y * load_some(a.gamma + channel + i, lanes);
          if (a.beta) y = y + load_some(a.beta + channel + i, lanes);
          store_some(a.y + at + i, y, lanes);
        });
      });
}

// A block of V vectors of a group's channels (of `lanes` channels when V is 1), a row for each sample: Σ g and Σ g x̂, added to sums.
template <int V>
RECEPTIVE_INLINE void block_of_runs(const GroupNormBackwardArgs<float>& a, int64_t sample, int64_t rows, int64_t group, int64_t channel,
                                    int lanes, const Totals& t) {
  const int64_t C = a.groups * a.depth;
  Vec sum_g[V], sum_gx[V];
  for (int v = 0; v < V; ++v) sum_g[v] = sum_gx[v] = zero();
  for (int64_t n = sample; n < sample + rows; ++n) {
    const Vec mean = broadcast(a.mean[n * a.groups + group]), invstd = broadcast(a.invstd[n * a.groups + group]);
    for (int v = 0; v < V; ++v) {
      const int64_t at = n * C + channel + v * Vec::width;
      const Vec g = load_some(a.g + at, lanes);
      sum_g[v] = sum_g[v] + g;
      sum_gx[v] = fma(g, (load_some(a.x + at, lanes) - mean) * invstd, sum_gx[v]);
    }
  }
  float g[V * Vec::width], gx[V * Vec::width];
  for (int v = 0; v < V; ++v) {
    store(g + v * Vec::width, sum_g[v]);
    store(gx + v * Vec::width, sum_gx[v]);
  }
  for (int i = 0; i < (V == 1 ? lanes : V * Vec::width); ++i) {
    t.first[channel + i] += g[i];
    t.second[channel + i] += gx[i];
  }
}

// Σ g x̂ and Σ g of each channel, over samples.
RECEPTIVE_INLINE void parameter_gradients_of_runs(const GroupNormBackwardArgs<float>& a, Context& context) {
  const int64_t C = a.groups * a.depth;
  const Totals sums = sum_rows(
      a.samples, C, context,
      [&](int64_t first, int64_t samples, const Totals& t) {
        for (int64_t n = 0; n < samples; n += kBlock) {
          const int64_t rows = smaller(kBlock, samples - n);
          for (int64_t k = 0; k < a.groups; ++k) {
            const int64_t end = (k + 1) * a.depth;
            int64_t c = k * a.depth;
            for (; c + kPanel <= end; c += kPanel) block_of_runs<kVectors>(a, first + n, rows, k, c, Vec::width, t);
            for (; c < end; c += Vec::width) {
              block_of_runs<1>(a, first + n, rows, k, c, static_cast<int>(smaller<int64_t>(Vec::width, end - c)), t);
            }
          }
        }
      },
      [&](const Totals& t, int64_t, const Totals& next, int64_t) { add_totals(t, next, C); });
  for (int64_t c = 0; a.dgamma && c < C; ++c) a.dgamma[c] = static_cast<float>(sums.second[c]);
  for (int64_t c = 0; a.dbeta && c < C; ++c) a.dbeta[c] = static_cast<float>(sums.first[c]);
}

RECEPTIVE_INLINE void gradient_of_runs(const GroupNormBackwardArgs<float>& a, Context& context) {
  const Items items{a.samples * a.groups, a.depth, a.depth};
  const double m = static_cast<double>(a.depth);
  const auto gradient = [&](int64_t at, int64_t channel, int lanes) {  // of what gamma scales
    const Vec g = load_some(a.g + at, lanes);
    return a.gamma ? g * load_some(a.gamma + channel, lanes) : g;
  };
  each_item(
      items, 2, context,
      [&](int64_t run, int64_t first, int64_t n, double* totals, int) {
        const Vec centre = broadcast(a.mean[run]);
        for (int64_t block = 0; block < n; block += kRunBlock) {
          const int64_t at = run * a.depth + first + block, channel = run % a.groups * a.depth + first + block;
          sum_run<2>(smaller(kRunBlock, n - block), totals, [&](int64_t i, int lanes, const auto& add) {
            const Vec g = gradient(at + i, channel + i, lanes);
            add(0, g);
            add(1, g * (load_some(a.x + at + i, lanes) - centre));
          });
        }
      },
      [&](int64_t, double* totals, int64_t pieces, int64_t) {
        for (int64_t p = 1; p < pieces; ++p) {
          totals[0] += totals[2 * p];
          totals[1] += totals[2 * p + 1];
        }
      },
      [&](int64_t run, int64_t first, int64_t n, const double* totals, int) {
        const int64_t start = run * a.depth + first, channel = run % a.groups * a.depth + first;
        const double invstd = a.invstd[run];
        const Vec centre = broadcast(a.mean[run]), scale = broadcast(a.invstd[run]),
                  slope = broadcast(static_cast<float>(-invstd * invstd * invstd * totals[1] / m)),
                  shift = broadcast(static_cast<float>(-invstd * totals[0] / m));
        along_run(n, [&](int64_t i, int lanes) {
          const Vec deviation = load_some(a.x + start + i, lanes) - centre;
          store_some(a.dx + start + i, fma(scale, gradient(start + i, channel + i, lanes), fma(slope, deviation, shift)), lanes);
        });
      });
}

}  // namespace receptive::RECEPTIVE_ISA
