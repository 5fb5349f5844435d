// y[y_offset + i·y_strides] = x[x_offset + i·x_strides] over an index i: slices, padding, concatenation, transposition, reversal and
// expansion are all this copy with other strides. Its adjoint adds instead of copying, with the two walks exchanged: the gradient of them
// all.
#include <cstdlib>
#include <cstring>

#include "chunks.h"
#include "op.h"

namespace receptive {

namespace {

// Dimensions are coalesced.
template <class T>
struct CopyArgs {
  int rank;
  int64_t dims[kMaxRank];
  int64_t x_strides[kMaxRank];
  int64_t y_strides[kMaxRank];
  const T* x;
  T* y;
};

// A tile of a transposition: both its rows and its columns stay within a few cache lines each.
constexpr int64_t kTile = 32;
constexpr int64_t kFewColumns = 8, kRun = 256;

template <class T>
void copy_row(const T* x, int64_t x_stride, T* y, int64_t y_stride, int64_t n) {
  if (y_stride == 1 && x_stride == 1) {
    std::memcpy(y, x, static_cast<size_t>(n) * sizeof(T));
  } else if (y_stride == 1 && x_stride == 0) {
    std::fill_n(y, n, *x);
  } else {
    for (int64_t i = 0; i < n; ++i) y[i * y_stride] = x[i * x_stride];
  }
}

// Three planes, as of an image's colours, to pixels.
template <class T>
void interleave(const T* x, int64_t plane, T* y, int64_t pixels) {
  for (int64_t i = 0; i < pixels; ++i) {
    for (int64_t c = 0; c < 3; ++c) y[i * 3 + c] = x[c * plane + i];
  }
}

// The last two dimensions, [rows, columns], in tiles when neither operand is contiguous along the same one; along the rows where there are
// few columns, as of images whose channels are turned to be the last axis.
template <class T>
void copy_matrix(const CopyArgs<T>& a, const T* x, T* y, int64_t row, int64_t rows) {
  const int last = a.rank - 1;
  const int64_t columns = a.dims[last], xr = a.x_strides[last - 1], xc = a.x_strides[last], yr = a.y_strides[last - 1],
                yc = a.y_strides[last];
  if (columns == 3 && xr == 1 && yc == 1 && yr == 3) return interleave(x + row, xc, y + row * 3, rows);
  if (columns <= kFewColumns && xr == 1) {
    for (int64_t end = row + rows; row < end; row += kRun) {
      const int64_t n = std::min(kRun, end - row);
      for (int64_t c = 0; c < columns; ++c) copy_row(x + row * xr + c * xc, xr, y + row * yr + c * yc, yr, n);
    }
    return;
  }
  const int64_t width = yc == 1 && xc != 1 && xc != 0 ? kTile : columns;
  for (int64_t first = 0; first < columns; first += width) {
    const int64_t n = std::min(width, columns - first);
    for (int64_t r = row; r < row + rows; ++r) copy_row(x + r * xr + first * xc, xc, y + r * yr + first * yc, yc, n);
  }
}

template <class T>
void copy(const CopyArgs<T>& a, Context& context) {
  const int last = a.rank - 1;
  if (a.rank == 1) {
    return for_chunks(context, a.dims[0], kChunk, [&](int64_t begin, int64_t end) {
      copy_row(a.x + begin * a.x_strides[0], a.x_strides[0], a.y + begin * a.y_strides[0], a.y_strides[0], end - begin);
    });
  }
  const int64_t rows = a.dims[last - 1], columns = a.dims[last];
  const int64_t band = std::min(rows, std::max(kTile, kChunk / std::max<int64_t>(columns, 1))),
                bands = (rows + band - 1) / std::max<int64_t>(band, 1);
  int64_t matrices = 1;
  for (int d = 0; d < last - 1; ++d) matrices *= a.dims[d];
  for_chunks(context, matrices * bands, kChunk / std::max<int64_t>(band * columns, 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t rest = i / bands, x = 0, y = 0;
      for (int d = last - 2; d >= 0; --d) {
        const int64_t index = rest % a.dims[d];
        rest /= a.dims[d];
        x += index * a.x_strides[d];
        y += index * a.y_strides[d];
      }
      const int64_t row = i % bands * band;
      copy_matrix(a, a.x + x, a.y + y, row, std::min(band, rows - row));
    }
  });
}

template <class T>
void add_row(const T* x, int64_t x_stride, T* y, int64_t y_stride, int64_t n) {
  if (y_stride == 1 && x_stride == 1) {
    for (int64_t i = 0; i < n; ++i) y[i] += x[i];
  } else {
    for (int64_t i = 0; i < n; ++i) y[i * y_stride] += x[i * x_stride];
  }
}

// Of the dimensions before the last, the first `kept` reach another cell of y at each step; along the others, and where its stride is 0
// along the last, y's cell is the same and a sum is taken, in order.
template <class T>
struct AccumulateArgs {
  int kept;
  CopyArgs<T> walk;
};

template <class T>
void accumulate(const AccumulateArgs<T>& args, Context& context) {
  const CopyArgs<T>& a = args.walk;
  const int last = a.rank - 1;
  int64_t cells = 1, repeats = 1;
  for (int d = 0; d < last; ++d) (d < args.kept ? cells : repeats) *= a.dims[d];
  const int64_t columns = a.dims[last], band = a.y_strides[last] == 0 ? columns : std::min(columns, kChunk);
  const int64_t bands = (columns + band - 1) / band;
  const auto offset = [&](int64_t index, int begin, int end, const int64_t* strides) {
    int64_t sum = 0;
    for (int d = end - 1; d >= begin; --d) {
      sum += index % a.dims[d] * strides[d];
      index /= a.dims[d];
    }
    return sum;
  };
  for_chunks(context, cells * bands, kChunk / std::max<int64_t>(band * repeats, 1), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t column = i % bands * band, n = std::min(band, columns - column);
      const T* const x = a.x + offset(i / bands, 0, args.kept, a.x_strides) + column * a.x_strides[last];
      T* const y = a.y + offset(i / bands, 0, args.kept, a.y_strides) + column * a.y_strides[last];
      for (int64_t r = 0; r < repeats; ++r) {
        add_row(x + offset(r, args.kept, last, a.x_strides), a.x_strides[last], y, a.y_strides[last], n);
      }
    }
  });
}

// How one operand is walked.
struct Walk {
  int64_t offset;
  int64_t strides[kMaxRank];
};

// Reads a walk from the attributes and proves that every cell it reaches lies in t. A dimension that is not walked (of one step) gets
// a stride of 0. Nothing here can overflow: a step count is held against size / stride before the two are multiplied.
Walk walk_of(const Call& call, const Tensor& t, int attr, int rank, const int64_t* dims, const char* what) {
  const int64_t size = t.size();
  Walk walk{call.integer(attr, 0, size), {}};
  int64_t low = walk.offset, high = walk.offset;
  for (int i = 0; i < rank; ++i) {
    if (dims[i] == 1) continue;
    const int64_t stride = call.integer(attr + 1 + i, -size, size);
    walk.strides[i] = stride;
    if (stride == 0) continue;
    call.require(dims[i] - 1 <= (size - 1) / std::abs(stride), "%s has %lld elements: %lld steps of %lld leave it", what,
                 static_cast<long long>(size), static_cast<long long>(dims[i] - 1), static_cast<long long>(stride));
    (stride < 0 ? low : high) += (dims[i] - 1) * stride;
  }
  call.require(low >= 0 && high < size, "elements %lld to %lld of %s would be reached, it has %lld", static_cast<long long>(low),
               static_cast<long long>(high), what, static_cast<long long>(size));
  return walk;
}

// No two indices may reach the same cell: each stride must pass what the smaller ones reach together. Where cells are added to, strides of
// 0, which stay at a cell, are left out.
void require_injective(const Call& call, const Walk& walk, int rank, const int64_t* dims, bool adds) {
  for (int i = 0; i < rank; ++i) {
    const int64_t stride = std::abs(walk.strides[i]);
    if (dims[i] == 1 || (adds && stride == 0)) continue;
    int64_t reach = 0;
    for (int j = 0; j < rank; ++j) {
      const int64_t other = std::abs(walk.strides[j]);
      if (j != i && dims[j] > 1 && (other < stride || (other == stride && j < i))) reach += (dims[j] - 1) * other;
    }
    call.require(stride > reach, "output stride %lld writes a cell twice", static_cast<long long>(walk.strides[i]));
  }
}

// What the attributes say: a rank, dimensions, and a walk through each operand.
struct Walks {
  int rank;
  int64_t dims[kMaxRank];
  Walk x, y;
  bool empty;
};

Walks walks_of(const Call& call, const Tensor& x, const Tensor& y, bool adds) {
  call.require_dtype(y, x.dtype, "output");
  call.require_apart(x, y, "input", "output");
  Walks w = {};
  w.rank = static_cast<int>(call.integer(0, 0, kMaxRank));
  call.require(call.attrs == 3 + 3 * w.rank, "%d attributes, expected %d for rank %d", call.attrs, 3 + 3 * w.rank, w.rank);
  for (int i = 0; i < w.rank; ++i) {
    w.dims[i] = call.integer(1 + i, 0, int64_t{1} << 53);
    w.empty = w.empty || w.dims[i] == 0;
  }
  if (w.empty) return w;
  w.x = walk_of(call, x, 1 + w.rank, w.rank, w.dims, "input");
  w.y = walk_of(call, y, 2 + 2 * w.rank, w.rank, w.dims, "output");
  require_injective(call, w.y, w.rank, w.dims, adds);
  return w;
}

template <class T>
CopyArgs<T> copy_args(const Call& call, const Walks& w) {
  CopyArgs<T> args{0, {}, {}, {}, call.in(0).as<T>() + w.x.offset, call.in(1).as<T>() + w.y.offset};
  int64_t strides[2][kMaxRank];
  std::copy_n(w.dims, w.rank, args.dims);
  std::copy_n(w.x.strides, w.rank, strides[0]);
  std::copy_n(w.y.strides, w.rank, strides[1]);
  args.rank = coalesce<2>(w.rank, args.dims, strides);
  std::copy_n(strides[0], args.rank, args.x_strides);
  std::copy_n(strides[1], args.rank, args.y_strides);
  return args;
}

template <class T>
void submit_copy(Call& call, const Walks& w) {
  call.submit(copy<T>, copy_args<T>(call, w));
}

template <class T>
void submit_accumulate(Call& call, const Walks& w) {
  const CopyArgs<T> all = copy_args<T>(call, w);
  AccumulateArgs<T> args{0, all};
  int to = 0;
  for (const bool kept : {true, false}) {
    for (int d = 0; d < all.rank - 1; ++d) {
      if ((all.y_strides[d] != 0) != kept) continue;
      args.walk.dims[to] = all.dims[d], args.walk.x_strides[to] = all.x_strides[d], args.walk.y_strides[to] = all.y_strides[d];
      ++to;
    }
    if (kept) args.kept = to;
  }
  call.submit(accumulate<T>, args);
}

void nothing(const int&, Context&) {}

}  // namespace

// x, y; rank, dims, x offset, x strides, y offset, y strides: all in elements. Strides of x may be 0, and of both negative.
void record_copy(Call& call) {
  call.changes = 1u << 1;
  const Tensor& x = call.in(0);
  const Walks w = walks_of(call, x, call.in(1), false);
  if (w.empty) return call.submit(nothing, 0);
  switch (size_of(x.dtype)) {
    case 1: return submit_copy<uint8_t>(call, w);
    case 4: return submit_copy<uint32_t>(call, w);
    default: return submit_copy<uint64_t>(call, w);
  }
}

// The same, of floating point. Strides of y may be 0: the cells of x along them are summed.
void record_accumulate(Call& call) {
  call.changes = 1u << 1;
  const Tensor& x = call.in(0);
  call.require_float(x, "input");
  const Walks w = walks_of(call, x, call.in(1), true);
  if (w.empty) return call.submit(nothing, 0);
  x.dtype == Dtype::float32 ? submit_accumulate<float>(call, w) : submit_accumulate<double>(call, w);
}

}  // namespace receptive
