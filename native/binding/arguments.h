// Arguments from JavaScript, errors back to it. Values are read by their type tags, never by instanceof or coercion: it works across
// realms, and no code of the caller's runs while a call is being read.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <stdexcept>
#include <string>

#include "../runtime/tensor.h"

namespace receptive {

// Becomes a JavaScript error of that constructor, with that code.
class BindingError : public std::runtime_error {
 public:
  enum class Type { type, range, plain };
  BindingError(Type type, const char* code, const std::string& message) : std::runtime_error(message), type(type), code(code) {}
  const Type type;
  const char* const code;
};

// A JavaScript exception is already on its way.
struct Pending {};

// Throws Pending or BindingError unless the call went well.
void check(napi_env env, napi_status status);

// To be called in a catch block: whatever was caught becomes a JavaScript exception.
void throw_caught(napi_env env) noexcept;

// The arguments of one call of a function.
class Arguments {
 public:
  static constexpr size_t kMax = 48;

  Arguments(napi_env env, napi_callback_info info) : env_(env) {
    check(env, napi_get_cb_info(env, info, &count_, values_, nullptr, &data_));
  }
  // The name errors begin with. Throws TypeError where there are more arguments than any function takes: they were not read.
  void set_function(const char* name) {
    function_ = name;
    require_count(0, kMax);
  }

  size_t count() const { return count_; }
  napi_value value(size_t i) const { return values_[i]; }
  void* data() const { return data_; }

  // Throws TypeError unless there are from least to most arguments.
  void require_count(size_t least, size_t most) const;
  double number(size_t i, const char* what) const;
  int64_t integer(size_t i, const char* what, int64_t low, int64_t high) const;
  // Dtype and dimensions from arguments dtype and those after it.
  void dims(size_t first, Tensor* shape) const;
  // The bytes of a view on an ArrayBuffer (typed array, DataView, Buffer) or of an ArrayBuffer.
  const void* bytes(size_t i, const char* what, size_t* size) const;

  [[noreturn]] void fail(BindingError::Type type, const char* code, const std::string& message) const;
  [[noreturn]] void mistyped(size_t i, const char* what, const char* expected) const;

 private:
  napi_env env_;
  const char* function_ = "receptive";
  size_t count_ = kMax;
  napi_value values_[kMax];
  void* data_ = nullptr;
};

}  // namespace receptive
