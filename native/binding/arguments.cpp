#include "arguments.h"

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

napi_value make_error(napi_env env, const BindingError& error) {
  napi_value code, message, value = nullptr;
  check(env, napi_create_string_utf8(env, error.code, NAPI_AUTO_LENGTH, &code));
  check(env, napi_create_string_utf8(env, error.what(), NAPI_AUTO_LENGTH, &message));
  switch (error.type) {
    case BindingError::Type::type: check(env, napi_create_type_error(env, code, message, &value)); break;
    case BindingError::Type::range: check(env, napi_create_range_error(env, code, message, &value)); break;
    case BindingError::Type::plain: check(env, napi_create_error(env, code, message, &value)); break;
  }
  return value;
}

void throw_caught(napi_env env) noexcept {
  try {
    throw;
  } catch (const Pending&) {
  } catch (const BindingError& error) {
    switch (error.type) {
      case BindingError::Type::type: napi_throw_type_error(env, error.code, error.what()); break;
      case BindingError::Type::range: napi_throw_range_error(env, error.code, error.what()); break;
      case BindingError::Type::plain: napi_throw_error(env, error.code, error.what()); break;
    }
  } catch (const OpError& error) {
    napi_throw_range_error(env, "ERR_INVALID_VALUE", error.what());
  } catch (const std::bad_alloc&) {
    napi_throw_range_error(env, "ERR_OUT_OF_MEMORY", "receptive: out of memory");
  } catch (const std::exception& error) {
    napi_throw_error(env, "ERR_RECEPTIVE", error.what());
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
