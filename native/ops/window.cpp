#include "window.h"

#include <algorithm>

#include "op.h"

namespace receptive {

namespace {

constexpr int64_t kLargest = int64_t{1} << 31;

void require_extent(const Call& call, const char* axis, int64_t size, int64_t out, int64_t kernel, int64_t stride, int64_t before,
                    int64_t after, int64_t dilation) {
  const int64_t room = size + before + after - dilation * (kernel - 1) - 1;
  const int64_t floor = room < 0 ? 0 : room / stride + 1;
  const bool hangs_over = room < 0 ? -room < stride : room % stride != 0;
  const bool ceil = hangs_over && floor * stride < size + before && out == floor + 1;
  call.require(
      out == floor || ceil, "output %s is %lld, expected %lld (input %lld, kernel %lld, stride %lld, padding %lld and %lld, dilation %lld)",
      axis, static_cast<long long>(out), static_cast<long long>(floor), static_cast<long long>(size), static_cast<long long>(kernel),
      static_cast<long long>(stride), static_cast<long long>(before), static_cast<long long>(after), static_cast<long long>(dilation));
}

void require_images(const Call& call, const Tensor& image, const Tensor& output) {
  call.require_rank(image, 4, "image");
  call.require_rank(output, 4, "output");
  const int64_t *x = image.dims, *y = output.dims;
  for (int i = 0; i < 4; ++i)
    call.require(x[i] <= kLargest, "dimension %d is %lld, at most %lld", i, static_cast<long long>(x[i]), static_cast<long long>(kLargest));
  if (x[1] == 0 || x[2] == 0 || x[3] == 0)
    call.fail("image has shape %s, expected at least one row, column and channel", shape_text(image).c_str());
  if (x[0] != y[0] || x[3] != y[3])
    call.fail("output has shape %s, input %s: batch and channels must agree", shape_text(output).c_str(), shape_text(image).c_str());
}

Reach adaptive_reach(int64_t i, int64_t size, int64_t out) {
  const int64_t start = i * size / out;
  return {start, ((i + 1) * size + out - 1) / out - start};
}

// The most cells an adaptive window can cover: a fraction of a cell at either end counts as one.
int64_t most_taps(int64_t size, int64_t out) { return size % out == 0 ? size / out : std::min(size / out + 2, size); }

}  // namespace

Reach row_reach(const Windows& w, int64_t i) { return w.adaptive ? adaptive_reach(i, w.H, w.OH) : Reach{i * w.sh - w.top, w.kh}; }
Reach column_reach(const Windows& w, int64_t j) { return w.adaptive ? adaptive_reach(j, w.W, w.OW) : Reach{j * w.sw - w.left, w.kw}; }

Windows windows_of(const Call& call, const Tensor& image, const Tensor& output) {
  require_images(call, image, output);
  const int64_t *x = image.dims, *y = output.dims;
  const auto size = [&](int i) { return call.integer(i, 1, kLargest); };
  const auto padding = [&](int i) { return call.integer(i, 0, kLargest); };
  const Windows w{x[0],    x[1],       x[2],       x[3],       y[1],       y[2],    size(0), size(1), size(2),
                  size(3), padding(4), padding(5), padding(6), padding(7), size(8), size(9), false};
  require_extent(call, "height", w.H, w.OH, w.kh, w.sh, w.top, w.bottom, w.dh);
  require_extent(call, "width", w.W, w.OW, w.kw, w.sw, w.left, w.right, w.dw);
  return w;
}

Windows adaptive_windows_of(const Call& call, const Tensor& image, const Tensor& output) {
  require_images(call, image, output);
  const int64_t *x = image.dims, *y = output.dims;
  call.require(y[1] >= 1 && y[1] <= kLargest && y[2] >= 1 && y[2] <= kLargest, "output has shape %s, expected 1 to %lld rows and columns",
               shape_text(output).c_str(), static_cast<long long>(kLargest));
  Windows w{x[0], x[1], x[2], x[3], y[1], y[2], most_taps(x[1], y[1]), most_taps(x[2], y[2])};
  w.sh = w.sw = w.dh = w.dw = 1;
  w.adaptive = true;
  return w;
}

}  // namespace receptive
