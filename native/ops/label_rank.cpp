// y = how many classes come before the label's when they are sorted by score: 0 where it is the first maximum, as argmax finds it.
// NaN counts as the greatest; of equal scores the one of the lower class comes first.
#include "chunks.h"
#include "op.h"

namespace receptive {

namespace {

template <class T>
struct LabelRankArgs {
  int64_t rows;
  int64_t classes;
  const T* x;
  const int32_t* labels;
  int32_t* y;
};

template <class T>
void label_rank(const LabelRankArgs<T>& a, Context& context) {
  for_chunks(context, a.rows, kChunk / a.classes, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const T* x = a.x + r * a.classes;
      const int64_t label = a.labels[r];
      if (label < 0 || label >= a.classes) {
        context.fail("topK: label %lld of row %lld is not in 0 to %lld", static_cast<long long>(label), static_cast<long long>(r),
                     static_cast<long long>(a.classes - 1));
        a.y[r] = static_cast<int32_t>(a.classes);
        continue;
      }
      const T own = x[label];
      int32_t before = 0;
      for (int64_t c = 0; c < a.classes; ++c) {
        const bool greater = x[c] > own || (x[c] != x[c] && own == own);
        const bool equal = x[c] == own || (x[c] != x[c] && own != own);
        before += greater || (equal && c < label);
      }
      a.y[r] = before;
    }
  });
}

template <class T>
void submit(Call& call) {
  const Tensor &x = call.in(0), &labels = call.in(1), &y = call.in(2);
  call.submit(label_rank<T>, LabelRankArgs<T>{x.dims[0], x.dims[1], x.as<T>(), labels.as<int32_t>(), y.as<int32_t>()});
}

}  // namespace

// x [N, C], labels int32 [N], y int32 [N]. A label out of range fails the command and has rank C.
void record_label_rank(Call& call) {
  const Tensor &x = call.in(0), &labels = call.in(1), &y = call.in(2);
  call.require_float(x, "scores");
  call.require_rank(x, 2, "scores");
  call.require(x.dims[1] > 0, "scores have shape %s: there are no classes", shape_text(x).c_str());
  call.require_dtype(labels, Dtype::int32, "labels");
  call.require_rank(labels, 1, "labels");
  call.require(labels.dims[0] == x.dims[0], "labels have shape %s, expected one for each row of the scores, %s", shape_text(labels).c_str(),
               shape_text(x).c_str());
  call.require_dtype(y, Dtype::int32, "output");
  call.require_same_shape(y, labels, "output", "labels");
  call.require_apart(x, y, "scores", "output");
  call.require_apart(labels, y, "labels", "output");
  x.dtype == Dtype::float32 ? submit<float>(call) : submit<double>(call);
}

}  // namespace receptive
