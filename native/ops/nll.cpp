// The negative log-likelihood of labels, given the logarithms of class probabilities: PyTorch's, with class weights and an ignored label.
//
// With w the class weights (1 when null) and t the label of a row: loss[row] = -w[t] x[row, t], 0 where t is ignored; mean = Σ loss / Σ
// w[t] over the rows that are not ignored. dx[row, t] = -w[t] g[row], -w[t] g, or -w[t] g / Σ w[t]; all else 0. A label that is neither a
// class nor the ignored one fails the command, makes its row's loss NaN and its gradient 0.
#include <algorithm>
#include <limits>

#include "chunks.h"
#include "cross_entropy.h"
#include "op.h"

namespace receptive {

namespace {

template <class T>
struct NllArgs {
  int64_t rows;
  int64_t classes;
  T* values;  // forward the logarithms, backward their gradient
  const int32_t* labels;
  const T* weights;  // null: all 1
  T* loss;           // rows, or 1 when reduced; backward what came in
  Reduction reduction;
  int64_t ignored;

  bool counts(int64_t row) const { return labels[row] != ignored && labels[row] >= 0 && labels[row] < classes; }
  double weight(int64_t row) const { return weights ? weights[labels[row]] : 1; }
  double total_weight() const {
    double total = 0;
    for (int64_t r = 0; r < rows; ++r) total += counts(r) ? weight(r) : 0;
    return total;
  }
};

template <class T>
void nll(const NllArgs<T>& a, Context& context) {
  double* losses = static_cast<double*>(context.scratch(static_cast<size_t>(a.rows) * sizeof(double)));
  for_chunks(context, a.rows, kChunk, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      if (a.counts(r)) {
        losses[r] = -a.weight(r) * a.values[r * a.classes + a.labels[r]];
      } else if (a.labels[r] == a.ignored) {
        losses[r] = 0;
      } else {
        context.fail("nll: label %lld of row %lld is not in 0 to %lld", static_cast<long long>(a.labels[r]), static_cast<long long>(r),
                     static_cast<long long>(a.classes - 1));
        losses[r] = std::numeric_limits<double>::quiet_NaN();
      }
    }
  });
  double total = 0;
  for (int64_t r = 0; r < a.rows; ++r) total += losses[r];
  switch (a.reduction) {
    case Reduction::none: std::copy_n(losses, a.rows, a.loss); break;
    case Reduction::mean: a.loss[0] = static_cast<T>(total / a.total_weight()); break;
    default: a.loss[0] = static_cast<T>(total);
  }
}

template <class T>
void nll_backward(const NllArgs<T>& a, Context& context) {
  const double divisor = a.reduction == Reduction::mean ? a.total_weight() : 1;
  for_chunks(context, a.rows, kChunk / a.classes, [&](int64_t begin, int64_t end) {
    std::fill(a.values + begin * a.classes, a.values + end * a.classes, T{0});
    for (int64_t r = begin; r < end; ++r) {
      const double g = a.loss[a.reduction == Reduction::none ? r : 0];
      if (a.counts(r)) a.values[r * a.classes + a.labels[r]] = static_cast<T>(-a.weight(r) * g / divisor);
    }
  });
}

// The largest magnitude of an ignored label: integers up to it are exact.
constexpr int64_t kAnyLabel = int64_t{1} << 53;

template <class T>
NllArgs<T> args_of(const Call& call, const char* what, const char* what_loss) {
  const Tensor &values = call.in(0), &labels = call.in(1), *weights = call.optional(2), &loss = call.in(3);
  const auto reduction = static_cast<Reduction>(call.integer(0, 0, static_cast<int64_t>(Reduction::count) - 1));
  const auto rows = static_cast<long long>(values.dims[0]), classes = static_cast<long long>(values.dims[1]);
  call.require_rank(values, 2, what);
  call.require(classes > 0, "%s have no classes", what);
  call.require_dtype(labels, Dtype::int32, "labels");
  call.require(labels.rank == 1 && labels.dims[0] == rows, "labels have shape %s, expected [%lld]", shape_text(labels).c_str(), rows);
  if (weights) {
    call.require_dtype(*weights, values.dtype, "weights");
    call.require(weights->rank == 1 && weights->dims[0] == classes, "weights have shape %s, expected [%lld]", shape_text(*weights).c_str(),
                 classes);
  }
  call.require_dtype(loss, values.dtype, what_loss);
  const bool fits = reduction == Reduction::none ? loss.rank == 1 && loss.dims[0] == rows : loss.rank == 0;
  call.require(fits, "%s has shape %s, expected %s", what_loss, shape_text(loss).c_str(),
               reduction == Reduction::none ? "one loss a row" : "a scalar");
  call.require_apart(values, loss, what, what_loss);
  return {values.dims[0],
          values.dims[1],
          values.as<T>(),
          labels.as<int32_t>(),
          weights ? weights->as<T>() : nullptr,
          loss.as<T>(),
          reduction,
          call.integer(1, -kAnyLabel, kAnyLabel)};
}

}  // namespace

// logarithms [N, C], labels int32 [N], weights [C]|0, loss [N] or []; reduction, ignored label.
void record_nll(Call& call) {
  call.require_float(call.in(0), "log-probabilities");
  if (call.in(0).dtype == Dtype::float32) {
    call.submit(nll<float>, args_of<float>(call, "log-probabilities", "loss"));
  } else {
    call.submit(nll<double>, args_of<double>(call, "log-probabilities", "loss"));
  }
}

// dx [N, C], labels int32 [N], weights [C]|0, g [N] or []; reduction, ignored label.
void record_nll_backward(Call& call) {
  call.require_float(call.in(0), "input's gradient");
  if (call.in(0).dtype == Dtype::float32) {
    call.submit(nll_backward<float>, args_of<float>(call, "input's gradient", "gradient"));
  } else {
    call.submit(nll_backward<double>, args_of<double>(call, "input's gradient", "gradient"));
  }
}

}  // namespace receptive
