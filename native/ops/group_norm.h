// Normalisation of each sample by its own statistics: layer norm (Ba, Kiros and Hinton, 2016), group norm (Wu and He, 2018) and instance
// norm (Ulyanov, Vedaldi and Lempitsky, 2016) are one operation over x seen as [samples, places, groups, depth].
#pragma once

#include "../runtime/context.h"

namespace receptive {

// For each sample and group, over m = places · depth values: mean, variance σ² = Σ (x - mean)² / m, invstd = 1 / sqrt(σ² + eps),
// y = gamma (x - mean) invstd + beta, with a gamma and a beta for each of the groups · depth channels.
template <class T>
struct GroupNormArgs {
  int64_t samples;
  int64_t places;
  int64_t groups;
  int64_t depth;
  const T* x;
  const T* gamma;  // null: 1
  const T* beta;   // null: 0
  T* y;
  T* mean;    // samples · groups
  T* invstd;  // samples · groups
  double eps;
};

// With x̂ = (x - mean) invstd and sums over a sample's group: dx = invstd (gamma g - Σ gamma g / m - x̂ Σ gamma g x̂ / m); over samples
// and places: dgamma = Σ g x̂, dbeta = Σ g.
template <class T>
struct GroupNormBackwardArgs {
  int64_t samples;
  int64_t places;
  int64_t groups;
  int64_t depth;
  const T* x;
  const T* g;
  const T* gamma;  // null: 1
  const T* mean;
  const T* invstd;
  T* dx;      // null: not wanted
  T* dgamma;  // null: not wanted
  T* dbeta;   // null: not wanted
};

namespace reference {
template <class T>
void group_norm(const GroupNormArgs<T>&, Context&);
template <class T>
void group_norm_backward(const GroupNormBackwardArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
