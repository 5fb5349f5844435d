#include "op.h"

#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "clip.h"

namespace receptive {

const char* name_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::float32: return "float32";
    case Dtype::float64: return "float64";
    case Dtype::int32: return "int32";
    case Dtype::uint8: return "uint8";
  }
  return "unknown";
}

std::string shape_text(const Tensor& t) {
  std::string text = "[";
  for (int i = 0; i < t.rank; ++i) text += (i ? "," : "") + std::to_string(t.dims[i]);
  return text + "]";
}

static OpError error_of(const char* op, const char* format, va_list args) {
  char message[400];
  std::vsnprintf(message, sizeof message, format, args);
  return OpError(std::string(op) + ": " + message);
}

void Call::require(bool condition, const char* format, ...) const {
  if (condition) return;
  va_list args;
  va_start(args, format);
  const OpError error = error_of(op, format, args);
  va_end(args);
  throw error;
}

void Call::fail(const char* format, ...) const {
  va_list args;
  va_start(args, format);
  const OpError error = error_of(op, format, args);
  va_end(args);
  throw error;
}

int64_t Call::integer(int i, int64_t low, int64_t high) const {
  const double value = attr[i];
  require(value >= static_cast<double>(low) && value <= static_cast<double>(high) && value == std::floor(value),
          "attribute %d is %g, expected an integer from %lld to %lld", i, value, static_cast<long long>(low), static_cast<long long>(high));
  return static_cast<int64_t>(value);
}

double Call::number(int i, double low, double high) const {
  require(attr[i] >= low && attr[i] <= high, "attribute %d is %g, expected a number from %g to %g", i, attr[i], low, high);
  return attr[i];
}

void Call::require_dtype(const Tensor& t, Dtype dtype, const char* what) const {
  require(t.dtype == dtype, "%s is %s, expected %s", what, name_of(t.dtype), name_of(dtype));
}

void Call::require_float(const Tensor& t, const char* what) const {
  require(t.dtype == Dtype::float32 || t.dtype == Dtype::float64, "%s is %s, expected float32 or float64", what, name_of(t.dtype));
}

void Call::require_rank(const Tensor& t, int rank, const char* what) const {
  if (t.rank != rank) fail("%s has shape %s, expected rank %d", what, shape_text(t).c_str(), rank);
}

void Call::require_same_shape(const Tensor& a, const Tensor& b, const char* what_a, const char* what_b) const {
  bool same = a.rank == b.rank;
  for (int i = 0; same && i < a.rank; ++i) same = a.dims[i] == b.dims[i];
  if (!same) fail("%s has shape %s, expected that of %s, %s", what_a, shape_text(a).c_str(), what_b, shape_text(b).c_str());
}

void Call::require_apart(const Tensor& a, const Tensor& b, const char* what_a, const char* what_b) const {
  require(a.data != b.data || a.size() == 0, "%s and %s share their memory", what_a, what_b);
}

Clip clip_of(const Call& call, int i) {
  const Clip clip = {call.number(i, -HUGE_VAL, HUGE_VAL), call.number(i + 1, -HUGE_VAL, HUGE_VAL)};
  call.require(clip.low < clip.high, "low is %g and high %g, expected low below high", clip.low, clip.high);
  return clip;
}

}  // namespace receptive
