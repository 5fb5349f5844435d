#include "arguments.h"

#include <cctype>
#include <cmath>
#include <cstdio>
#include <new>

#include "../ops/op.h"

namespace receptive {

namespace {

const char* type_name(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  switch (type) {
    case napi_undefined: return "undefined";
    case napi_null: return "null";
    case napi_boolean: return "a boolean";
    case napi_number: return "a number";
    case napi_string: return "a string";
    case napi_symbol: return "a symbol";
    case napi_object: return "an object";
    case napi_function: return "a function";
    case napi_external: return "an external";
    case napi_bigint: return "a bigint";
  }
  return "something else";
}

// Bytes in an element, by napi_typedarray_type.
size_t element_bytes(napi_typedarray_type type) {
  switch (type) {
    case napi_int16_array:
    case napi_uint16_array: return 2;
    case napi_int32_array:
    case napi_uint32_array:
    case napi_float32_array: return 4;
    case napi_float64_array:
    case napi_bigint64_array:
    case napi_biguint64_array: return 8;
    default: return 1;
  }
}

// Throws an error of that constructor, with the code and the place that explains it, as lib/errors.ts has them.
void throw_error(napi_env env, BindingError::Type type, const char* code, const char* message) noexcept {
  const auto create = type == BindingError::Type::type    ? napi_create_type_error
                      : type == BindingError::Type::range ? napi_create_range_error
                                                          : napi_create_error;
  char page[80];
  std::snprintf(page, sizeof page, "receptive/docs/errors.md#%s", code);
  for (char* c = page; *c != '\0'; ++c) *c = static_cast<char>(std::tolower(*c));
  const auto text = [&](const char* from, napi_value* to) { return napi_create_string_utf8(env, from, NAPI_AUTO_LENGTH, to) == napi_ok; };
  napi_value name, says, docs, error;
  const bool made = text(code, &name) && text(message, &says) && text(page, &docs) && create(env, name, says, &error) == napi_ok &&
                    napi_set_named_property(env, error, "docs", docs) == napi_ok;
  if (made) {
    napi_throw(env, error);
  } else {
    napi_throw_error(env, code, message);
  }
}

}  // namespace

void check(napi_env env, napi_status status) {
  if (status == napi_ok) return;
  const napi_extended_error_info* info = nullptr;
  napi_get_last_error_info(env, &info);
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending || status == napi_pending_exception) throw Pending{};
  throw BindingError(
      BindingError::Type::plain, "ERR_NODE_API",
      std::string("receptive: ") + (info != nullptr && info->error_message != nullptr ? info->error_message : "Node-API failed"));
}

void throw_caught(napi_env env) noexcept {
  using Type = BindingError::Type;
  try {
    throw;
  } catch (const Pending&) {
  } catch (const BindingError& error) {
    throw_error(env, error.type, error.code, error.what());
  } catch (const OpError& error) {
    throw_error(env, Type::range, "ERR_INVALID_VALUE", error.what());
  } catch (const std::bad_alloc&) {
    throw_error(env, Type::range, "ERR_OUT_OF_MEMORY", "receptive: out of memory");
  } catch (const std::exception& error) {
    throw_error(env, Type::plain, "ERR_RECEPTIVE", error.what());
  }
}

void Arguments::fail(BindingError::Type type, const char* code, const std::string& message) const {
  throw BindingError(type, code, std::string(function_) + ": " + message);
}

void Arguments::mistyped(size_t i, const char* what, const char* expected) const {
  fail(BindingError::Type::type, "ERR_INVALID_TYPE",
       "argument " + std::to_string(i + 1) + " (" + what + ") is " + type_name(env_, values_[i]) + ", expected " + expected);
}

void Arguments::require_count(size_t least, size_t most) const {
  if (count_ >= least && count_ <= most) return;
  fail(BindingError::Type::type, "ERR_INVALID_TYPE",
       "got " + std::to_string(count_) + " arguments, expected " + std::to_string(least) +
           (most > least ? " to " + std::to_string(most) : ""));
}

double Arguments::number(size_t i, const char* what) const {
  double value;
  if (i >= count_ || napi_get_value_double(env_, values_[i], &value) != napi_ok) mistyped(i, what, "a number");
  return value;
}

int64_t Arguments::integer(size_t i, const char* what, int64_t low, int64_t high) const {
  const double value = number(i, what);
  if (!(value >= static_cast<double>(low) && value <= static_cast<double>(high)) || value != std::floor(value)) {
    char message[160];
    std::snprintf(message, sizeof message, "%s is %.17g, expected an integer from %lld to %lld", what, value, static_cast<long long>(low),
                  static_cast<long long>(high));
    fail(BindingError::Type::range, "ERR_INVALID_VALUE", message);
  }
  return static_cast<int64_t>(value);
}

void Arguments::dims(size_t first, Tensor* shape) const {
  require_count(first, first + kMaxRank);
  shape->rank = static_cast<int>(count_ - first);
  for (int i = 0; i < shape->rank; ++i) shape->dims[i] = integer(first + static_cast<size_t>(i), "dimension", 0, INT32_MAX);
}

const void* Arguments::bytes(size_t i, const char* what, size_t* size) const {
  const napi_value value = values_[i];
  bool is = false;
  void* data = nullptr;
  if (napi_is_typedarray(env_, value, &is) == napi_ok && is) {
    napi_typedarray_type type = napi_uint8_array;
    size_t length = 0;
    check(env_, napi_get_typedarray_info(env_, value, &type, &length, &data, nullptr, nullptr));
    *size = length * element_bytes(type);
  } else if (napi_is_dataview(env_, value, &is) == napi_ok && is) {
    check(env_, napi_get_dataview_info(env_, value, size, &data, nullptr, nullptr));
  } else if (napi_is_arraybuffer(env_, value, &is) == napi_ok && is) {
    check(env_, napi_get_arraybuffer_info(env_, value, &data, size));
  } else {
    mistyped(i, what, "a typed array, a DataView or an ArrayBuffer");
  }
  return data;
}

}  // namespace receptive
