// Cross-entropy of logits against class labels or class probabilities: PyTorch's, with class weights, label smoothing and an ignored label.
#pragma once

#include "../runtime/context.h"

namespace receptive {

enum class Reduction : int32_t { none, mean, sum, count };

// With ε the smoothing, w the class weights (1 when null), t a row's target probabilities (1 for its label, 0 elsewhere) and p the softmax
// of its logits:
//   q[c] = w[c] ((1 - ε) t[c] + ε/C),  0 throughout where the label is ignored
//   loss[row] = -Σ_c q[c] log p[c]
//   mean = Σ loss / Σ w[label] over the rows that are not ignored; with probabilities, Σ loss / rows.
// A label that is neither a class nor the ignored one fails the command and makes its row's loss NaN.
template <class T>
struct CrossEntropyArgs {
  int64_t rows;
  int64_t classes;
  const T* logits;
  const int32_t* labels;  // null: targets are given
  const T* targets;       // rows x classes
  const T* weights;       // null: all 1
  T* loss;                // rows, or 1 when reduced
  T* probs;
  Reduction reduction;
  int64_t ignored;
  double smoothing;
};

// dx[row, c] = scale[row] (p[c] Σ_k q[k] - q[c]), and scale g[row], g, or g over what the mean is taken by.
// A row that is ignored, or whose label is wrong, gets zeros.
template <class T>
struct CrossEntropyBackwardArgs {
  int64_t rows;
  int64_t classes;
  const T* probs;
  const int32_t* labels;
  const T* targets;
  const T* weights;
  const T* g;  // rows, or 1 when reduced
  T* dx;
  Reduction reduction;
  int64_t ignored;
  double smoothing;
};

namespace reference {
template <class T>
void cross_entropy(const CrossEntropyArgs<T>&, Context&);
template <class T>
void cross_entropy_backward(const CrossEntropyBackwardArgs<T>&, Context&);
}  // namespace reference

}  // namespace receptive
