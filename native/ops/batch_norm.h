// Batch normalisation over all axes but the last (Ioffe and Szegedy, 2015): MATHEMATICS 3.5.
#pragma once

#include "../runtime/context.h"
#include "clip.h"

namespace receptive {

// For each channel, over m rows: mean, variance σ² = Σ (x - mean)² / m, invstd = 1 / sqrt(σ² + eps), y = gamma (x - mean) invstd + beta.
// Running statistics become (1 - momentum) old + momentum new, the new variance being σ² m / (m - 1).
template <class T>
struct BatchNormTrainArgs {
  int64_t rows;
  int64_t channels;
  const T* x;
  const T* gamma;   // null: 1
  const T* beta;    // null: 0
  T* running_mean;  // null: not kept
  T* running_var;   // null: not kept
  const T* add;     // null: nothing
  T* y;
  T* mean;
  T* invstd;
  double momentum;
  double eps;
  Clip clip;
};

// y = gamma (x - mean) invstd + beta with the statistics given; invstd = 1 / sqrt(var + eps).
template <class T>
struct BatchNormInferArgs {
  int64_t rows;
  int64_t channels;
  const T* x;
  const T* gamma;  // null: 1
  const T* beta;   // null: 0
  const T* mean;
  const T* var;
  const T* add;  // null: nothing
  T* y;
  T* invstd;  // null: not wanted
  double eps;
  Clip clip;
};

// g is first stopped where the output was clipped: at the values y, where these are given, else at those computed again from x (nothing was
// added then). What is left of it is dadd. With x̂ = (x - mean) invstd: dgamma = Σ g x̂, dbeta = Σ g, and dx = gamma invstd (g - Σ g / m - x̂
// Σ g x̂ / m), or gamma invstd g where the statistics were constants.
template <class T>
struct BatchNormBackwardArgs {
  int64_t rows;
  int64_t channels;
  bool training;
  const T* x;
  const T* g;
  const T* gamma;  // null: 1
  const T* beta;   // null: 0
  const T* mean;
  const T* invstd;
  const T* y;  // null: computed again
  T* dx;       // null: not wanted
  T* dgamma;   // null: not wanted
  T* dbeta;    // null: not wanted
  T* dadd;     // null: not wanted; y is given where it is not
  Clip clip;
};

namespace reference {
template <class T>
void batch_norm_train(const BatchNormTrainArgs<T>&, Context&);
template <class T>
void batch_norm_infer(const BatchNormInferArgs<T>&, Context&);
template <class T>
void batch_norm_backward(const BatchNormBackwardArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
