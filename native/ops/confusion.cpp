// y[label, guess] = how many samples have that label and that guess.
#include <algorithm>

#include "op.h"

namespace receptive {

namespace {

struct ConfusionArgs {
  int64_t size;
  int64_t classes;
  const int32_t* labels;
  const int32_t* guesses;
  int32_t* y;
};

// One thread: samples of one cell would wait for each other.
void confusion(const ConfusionArgs& a, Context& context) {
  std::fill_n(a.y, a.classes * a.classes, 0);
  for (int64_t i = 0; i < a.size; ++i) {
    const int64_t label = a.labels[i], guess = a.guesses[i];
    if (label < 0 || label >= a.classes || guess < 0 || guess >= a.classes) {
      context.fail("confusion: label %lld, taken for %lld, of sample %lld: not both in 0 to %lld", static_cast<long long>(label),
                   static_cast<long long>(guess), static_cast<long long>(i), static_cast<long long>(a.classes - 1));
    } else {
      ++a.y[label * a.classes + guess];
    }
  }
}

}  // namespace

// labels int32 [N], guesses int32 [N], y int32 [C, C]. A class out of range fails the command and is not counted.
void record_confusion(Call& call) {
  const Tensor &labels = call.in(0), &guesses = call.in(1), &y = call.in(2);
  call.require_dtype(labels, Dtype::int32, "labels");
  call.require_rank(labels, 1, "labels");
  call.require_dtype(guesses, Dtype::int32, "guesses");
  call.require_same_shape(guesses, labels, "guesses", "labels");
  call.require_dtype(y, Dtype::int32, "output");
  call.require(y.rank == 2 && y.dims[0] == y.dims[1], "output has shape %s, expected as many rows as columns", shape_text(y).c_str());
  call.require_apart(labels, y, "labels", "output");
  call.require_apart(guesses, y, "guesses", "output");
  call.submit(confusion, ConfusionArgs{labels.size(), y.dims[0], labels.as<int32_t>(), guesses.as<int32_t>(), y.as<int32_t>()});
}

}  // namespace receptive
