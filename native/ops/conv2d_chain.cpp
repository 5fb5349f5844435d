#include "conv2d_chain.h"

#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <new>
#include <vector>

#include "../kernels/table.h"
#include "op.h"

namespace receptive {

namespace {

constexpr int64_t kChainFloats = 128 << 10;        // of all rows at once, if a row of the last output allows
constexpr int64_t kEnoughRows = 8;                 // of a chunk, where none are made twice
constexpr int64_t kRowsToOneAgain = 6;             // made, for each that is made twice
constexpr size_t kChainScratch = size_t{1} << 16;  // of each thread; more comes from the system
constexpr int kMostPacks = 4;                      // of one convolution

// What the convolutions made of their weights, by convolution and in the order in which their first parts asked.
constexpr int kNotAsked = -1;
struct Packs {
  struct Pack {
    size_t bytes;
    void* data;
  };
  int counts[kMostChained] = {kNotAsked, kNotAsked, kNotAsked};
  Pack packs[kMostChained][kMostPacks] = {};
};

// Where a part of a convolution runs: on the thread that calls it.
class PartContext final : public Context {
 public:
  // Fills `packs`, with memory of `outer`; or, where `outer` is null, reads them.
  PartContext(Packs& packs, Context* outer, bool keeps, unsigned char* memory)
      : packs_(packs), outer_(outer), keeps_(keeps), memory_(memory) {}

  void begin(int convolution) {
    asks_ = outer_ != nullptr && packs_.counts[convolution] == kNotAsked;
    if (asks_) packs_.counts[convolution] = 0;
    convolution_ = convolution;
    next_ = 0;
    used_ = 0;
    more_.clear();
  }

  int threads() const noexcept override { return 1; }
  void* scratch(size_t bytes) override {
    bytes = (bytes + 63) / 64 * 64;
    if (bytes <= kChainScratch - used_) {
      used_ += bytes;
      return memory_ + used_ - bytes;
    }
    more_.emplace_back(new unsigned char[bytes + 63]);
    return reinterpret_cast<void*>((reinterpret_cast<uintptr_t>(more_.back().get()) + 63) / 64 * 64);
  }
  void* keep(size_t bytes, bool* made) override {
    const int i = next_++;
    int& count = packs_.counts[convolution_];
    *made = i < count && packs_.packs[convolution_][i].bytes == bytes;
    if (*made) return packs_.packs[convolution_][i].data;
    if (!asks_ || i >= kMostPacks) return scratch(bytes);
    void* const data = outer_->keep(bytes, made);
    packs_.packs[convolution_][count++] = {bytes, data};
    return data;
  }
  bool keeps() const noexcept override { return keeps_; }
  bool always_keeps() const noexcept override { return keeps_; }
  void fail(const char*, ...) noexcept override {}  // no convolution does

 protected:
  void run(int64_t chunks, Chunk chunk, const void* body) noexcept override {
    for (int64_t i = 0; i < chunks; ++i) chunk(body, i, 0);
  }

 private:
  Packs& packs_;
  Context* const outer_;
  const bool keeps_;
  unsigned char* const memory_;
  size_t used_ = 0;
  std::vector<std::unique_ptr<unsigned char[]>> more_;
  int convolution_ = 0, next_ = 0;
  bool asks_ = false;
};

// Rows [first, last) of an image.
struct Rows {
  int64_t first, last;
};

// Those inside the image that such rows of the output see.
Rows seen(const Conv2dShape& s, const Rows& rows) {
  return {std::max<int64_t>(rows.first * s.sh - s.top, 0), std::min((rows.last - 1) * s.sh - s.top + s.dh * (s.kh - 1) + 1, s.H)};
}

// The most rows that so many of the output see.
int64_t reach(const Conv2dShape& s, int64_t rows) { return std::min((rows - 1) * s.sh + s.dh * (s.kh - 1) + 1, s.H); }

int64_t row_of(const Conv2dShape& s) { return s.OW * s.K; }

// Rows of each convolution's output at once, for so many of the last, and the floats of all but these.
struct Heights {
  int64_t rows[kMostChained], floats;
};
template <class T>
Heights heights_of(const Conv2dChainArgs<T>& a, int64_t rows) {
  Heights heights = {};
  heights.rows[a.count - 1] = rows;
  for (int64_t i = a.count - 1; i > 0; --i) {
    heights.rows[i - 1] = reach(a.parts[i].shape, heights.rows[i]);
    heights.floats += heights.rows[i - 1] * row_of(a.parts[i - 1].shape);
  }
  return heights;
}

// One image, from top to bottom.
template <class T>
class Descent {
 public:
  Descent(const Conv2dChainArgs<T>& args, int64_t image, const Heights& heights, T* memory, PartContext& context)
      : a_(args), image_(image), context_(context) {
    for (int64_t i = 0; i + 1 < a_.count; ++i) {
      made_[i] = {memory, {0, 0}};
      memory += heights.rows[i] * row_of(a_.parts[i].shape);
    }
  }

  // These rows of the last output; no row above those of the call before.
  void make(const Rows& rows) { make(static_cast<int>(a_.count) - 1, rows); }

 private:
  struct Made {
    T* data;  // of the first row
    Rows rows;
  };

  void make(int i, const Rows& rows) {
    Conv2dArgs<T> part = a_.parts[i];
    const Conv2dShape whole = part.shape;
    Conv2dShape& s = part.shape;
    const Rows in = seen(whole, rows);
    if (i > 0) {
      want(i - 1, in);
      part.x = made_[i - 1].data;
    } else {
      part.x += (image_ * whole.H + in.first) * whole.W * whole.C;
    }
    if (i + 1 < a_.count) {
      part.y = made_[i].data + (rows.first - made_[i].rows.first) * row_of(whole);
    } else {
      const int64_t offset = (image_ * whole.OH + rows.first) * row_of(whole);
      part.y += offset;
      if (part.add != nullptr) part.add += offset;
    }
    s.N = 1;
    s.H = in.last - in.first;
    s.OH = rows.last - rows.first;
    s.top = in.first - (rows.first * whole.sh - whole.top);
    context_.begin(i);
    a_.conv2d(part, context_);
  }

  // Has rows of what convolution i makes, and no row above them.
  void want(int i, const Rows& rows) {
    Made& made = made_[i];
    const int64_t kept = std::max<int64_t>(made.rows.last - rows.first, 0), row = row_of(a_.parts[i].shape);
    if (kept > 0 && rows.first > made.rows.first) std::copy_n(made.data + (rows.first - made.rows.first) * row, kept * row, made.data);
    made.rows = {rows.first, rows.last};
    if (kept < rows.last - rows.first) make(i, {rows.first + kept, rows.last});
  }

  const Conv2dChainArgs<T>& a_;
  const int64_t image_;
  PartContext& context_;
  Made made_[kMostChained - 1];
};

}  // namespace

template <class T>
void conv2d_chain(const Conv2dChainArgs<T>& a, Context& context) {
  const Conv2dShape& last = a.parts[a.count - 1].shape;
  if (last.N == 0 || last.OH == 0) return;
  int64_t band = 1;
  while (band < last.OH && heights_of(a, band + 1).floats <= kChainFloats) ++band;
  // Rows that the chunk above made too.
  int64_t again = 0;
  for (int64_t i = a.count - 1; i > 0; --i) again += a.parts[i].shape.dh * (a.parts[i].shape.kh - 1) + 1 - a.parts[i].shape.sh;
  const int64_t least = std::max(std::min(band, kEnoughRows), kRowsToOneAgain * std::max<int64_t>(again, 0) / last.sh);
  int64_t per_image = 1;
  while (per_image * 2 * least <= last.OH) per_image *= 2;
  const int64_t chunks = last.N * per_image;
  band = std::min(band, (last.OH + per_image - 1) / per_image);

  const Heights heights = heights_of(a, band);
  const auto slots = static_cast<size_t>(chunks == 1 ? 1 : context.threads());
  const auto floats = static_cast<size_t>(heights.floats);
  T* const rows = static_cast<T*>(context.scratch(slots * floats * sizeof(T)));
  unsigned char* const memory = static_cast<unsigned char*>(context.scratch(slots * kChainScratch));
  std::atomic<bool> out_of_memory{false};
  const auto descend = [&](int64_t chunk, size_t slot, PartContext& part) {
    const int64_t image = chunk / per_image, index = chunk % per_image;
    const Rows all = {index * last.OH / per_image, (index + 1) * last.OH / per_image};
    Descent<T> descent(a, image, heights, rows + slot * floats, part);
    for (int64_t row = all.first; row < all.last; row += band) descent.make({row, std::min(row + band, all.last)});
  };

  // The first chunk asks for what is kept; its sizes are kept too, so that later runs have it at once.
  Packs fresh;
  bool made = false;
  Packs& packs = context.keeps() ? *static_cast<Packs*>(context.keep(sizeof(Packs), &made)) : fresh;
  int64_t first = 0;
  for (int64_t i = 0; made && i < a.count; ++i) {
    for (int p = 0; made && p < packs.counts[i]; ++p) packs.packs[i][p].data = context.keep(packs.packs[i][p].bytes, &made);
  }
  if (!made) {
    packs = Packs();
    PartContext part(packs, &context, context.keeps(), memory);
    descend(first++, 0, part);
  }
  context.parallel(chunks - first, [&](int64_t chunk, int slot) {
    PartContext part(packs, nullptr, context.keeps(), memory + static_cast<size_t>(slot) * kChainScratch);
    try {
      descend(first + chunk, static_cast<size_t>(slot), part);
    } catch (const std::bad_alloc&) {
      out_of_memory.store(true, std::memory_order_relaxed);
    }
  });
  if (out_of_memory.load(std::memory_order_relaxed)) throw std::bad_alloc();
}

template void conv2d_chain<float>(const Conv2dChainArgs<float>&, Context&);
template void conv2d_chain<double>(const Conv2dChainArgs<double>&, Context&);

namespace {

constexpr int kNumbers = 12;  // of a convolution
constexpr int kTensors = 2;   // of a convolution: w, b

// What a convolution makes, as far as its attributes say: no data.
Tensor output_of(const Call& call, const Tensor& x, const Tensor& w) {
  call.require_rank(x, 4, "input");
  call.require_rank(w, 4, "weight");
  Tensor y = x;
  const auto extent = [&](int axis, int stride, int before, int after, int dilation) {
    const int64_t cells = x.dims[axis] + call.integer(before, 0, kMaxStep) + call.integer(after, -kMaxStep, kMaxStep);
    const int64_t taps = call.integer(dilation, 1, kMaxStep) * (w.dims[axis - 1] - 1) + 1;
    return cells < taps ? 0 : (cells - taps) / call.integer(stride, 1, kMaxStep) + 1;
  };
  y.dims[1] = extent(1, 0, 2, 4, 6);
  y.dims[2] = extent(2, 1, 5, 3, 7);
  y.dims[3] = w.dims[3];
  return y;
}

template <class T>
void submit(Call& call, int count, void (*conv2d)(const Conv2dArgs<T>&, Context&)) {
  Conv2dChainArgs<T> args{count, conv2d, {}};
  Tensor between[kMostChained];
  for (int i = 0; i < count; ++i) {
    const bool first = i == 0, last = i == count - 1;
    Call part;
    part.op = call.op;
    part.tensors = 5;
    part.attrs = kNumbers;
    std::copy_n(call.attr + i * kNumbers, kNumbers, part.attr);
    part.tensor[0] = first ? &call.in(0) : &between[i - 1];
    part.tensor[1] = &call.in(1 + i * kTensors);
    part.tensor[2] = call.optional(2 + i * kTensors);
    part.tensor[3] = last ? call.optional(7) : nullptr;
    if (!last) between[i] = output_of(part, *part.tensor[0], *part.tensor[1]);
    part.tensor[4] = last ? &call.in(8) : &between[i];
    args.parts[i] = conv2d_args<T>(part);
    const Conv2dShape& s = args.parts[i].shape;
    call.require(s.top <= s.dh * (s.kh - 1) && (s.OH - 1) * s.sh - s.top < s.H, "convolution %d has output rows that see padding only", i);
  }
  call.packs = 0;
  for (int i = 0; i < count; ++i) call.packs |= 1u << (1 + i * kTensors);
  call.submit(conv2d_chain<T>, args);
}

}  // namespace

// x; w, b|0 of each of three convolutions, the third may be missing; add|0, y; the attributes of conv2d for each.
void record_conv2d_chain(Call& call) {
  const int count = call.optional(1 + 2 * kTensors) != nullptr ? 3 : 2;
  call.require(call.attrs == count * kNumbers, "%d attributes, expected %d for %d convolutions", call.attrs, count * kNumbers, count);
  call.require(count == 3 || call.optional(2 + 2 * kTensors) == nullptr, "a bias of a third convolution, which is missing");
  if (call.in(0).dtype == Dtype::float32) {
    submit<float>(call, count, kernels().conv2d);
  } else {
    submit<double>(call, count, reference::conv2d<double>);
  }
}

}  // namespace receptive
