// The addon's functions. The signatures are those lib/native.ts declares.
#include <algorithm>
#include <string>

#include "../kernels/table.h"
#include "../ops/op.h"
#include "../ops/peak.h"
#include "../runtime/pool.h"
#include "arguments.h"
#include "environment.h"
#include "functions.h"

namespace receptive {

using Type = BindingError::Type;

void require_object(napi_env env, const Arguments& arguments, size_t i) {
  napi_valuetype type = napi_undefined;
  check(env, napi_typeof(env, arguments.value(i), &type));
  if (type != napi_object && type != napi_function) arguments.mistyped(i, "owner", "an object");
}

// The tensor that argument i names.
Entry& tensor(const Arguments& arguments, Environment& environment, size_t i) {
  Entry* const entry = environment.find(arguments.number(i, "tensor"));
  if (entry == nullptr) arguments.fail(Type::type, "ERR_DISPOSED", "tensor " + std::to_string(i) + " was disposed of, or never was one");
  return *entry;
}

// The tensor that argument i names, which is no piece of another.
Entry& whole_tensor(const Arguments& arguments, Environment& environment, size_t i) {
  Entry& entry = tensor(arguments, environment, i);
  if (entry.piece) arguments.fail(Type::type, "ERR_INVALID_TYPE", "tensor " + std::to_string(i) + " is a piece of another");
  return entry;
}

napi_value from_double(napi_env env, double value) {
  napi_value result;
  check(env, napi_create_double(env, value, &result));
  return result;
}

void set_number(napi_env env, napi_value object, const char* name, double value) {
  check(env, napi_set_named_property(env, object, name, from_double(env, value)));
}

namespace {

// Pieces of one storage that a call is given are the same or apart: kernels rely on what they read staying what it is.
void require_no_overlap(const Arguments& arguments, Entry* const* used, int uses) {
  const auto begin = [](const Entry& entry) { return entry.offset; };
  const auto end = [](const Entry& entry) { return entry.offset + static_cast<size_t>(entry.tensor.size()) * size_of(entry.tensor.dtype); };
  for (int i = 0; i < uses; ++i) {
    for (int j = i + 1; j < uses; ++j) {
      const Entry &a = *used[i], &b = *used[j];
      if (!(a.piece || b.piece) || a.storage != b.storage || end(a) <= begin(b) || end(b) <= begin(a)) continue;
      if (begin(a) == begin(b) && end(a) == end(b) && a.tensor.dtype == b.tensor.dtype) continue;
      arguments.fail(Type::range, "ERR_INVALID_VALUE", "two tensors overlap");
    }
  }
}

// op(tensor ids, numbers): checks the arguments and queues the command.
napi_value call_op(napi_env env, napi_callback_info info) {
  try {
    Arguments arguments(env, info);
    const Op& op = *static_cast<const Op*>(arguments.data());
    arguments.set_function(op.name);
    Environment& environment = Environment::of(env);
    Call call;
    call.op = op.name;
    call.tensors = op.tensors;
    call.attrs = static_cast<int>(arguments.count()) - op.tensors;
    if (op.attrs >= 0 ? call.attrs != op.attrs : call.attrs < 0 || call.attrs > Call::kMaxAttrs) {
      arguments.fail(Type::type, "ERR_INVALID_TYPE",
                     "got " + std::to_string(arguments.count()) + " arguments, expected " + std::to_string(op.tensors) + " tensors and " +
                         (op.attrs >= 0 ? std::to_string(op.attrs) : "at most " + std::to_string(Call::kMaxAttrs)) + " numbers");
    }
    static_assert(Uses::kMax >= Call::kMaxTensors, "a command's blocks are its call's tensors");
    Entry* used[Call::kMaxTensors];
    int uses = 0;
    uint32_t place[Call::kMaxTensors] = {};  // the bit of each tensor that was given
    for (int i = 0; i < op.tensors; ++i) {
      if (arguments.number(static_cast<size_t>(i), "tensor") == 0) continue;
      Entry& entry = tensor(arguments, environment, static_cast<size_t>(i));
      place[i] = 1u << uses;
      used[uses++] = &entry;
      call.tensor[i] = &entry.tensor;
    }
    for (int i = 0; i < call.attrs; ++i) call.attr[i] = arguments.number(static_cast<size_t>(op.tensors + i), "attribute");
    require_no_overlap(arguments, used, uses);
    op.record(call);
    Environment::Packed packed = {0, call};
    if (call.keep != Call::Keep::nothing) {
      for (int i = 0; i < op.tensors; ++i) packed.operands |= call.packs >> i & 1u ? place[i] : 0;
    }
    Environment::Writes writes;
    if ((call.overwrites | call.changes | call.updates) != 0) {
      for (int i = 0; i < op.tensors; ++i) {
        if ((call.overwrites >> i & 1u) != 0) writes.overwritten |= place[i];
        if ((call.changes >> i & 1u) != 0) writes.changed |= place[i];
        if ((call.updates >> i & 1u) != 0) writes.updated |= place[i];
      }
    }
    environment.record(call.command, used, uses, writes, packed.operands != 0 ? &packed : nullptr);
  } catch (...) {
    throw_caught(env);
  }
  return nullptr;
}

// create(owner, dtype, ...dims): id
napi_value create(napi_env env, const Arguments& arguments) {
  Tensor shape;
  require_object(env, arguments, 0);
  shape.dtype = static_cast<Dtype>(arguments.integer(1, "dtype", 0, kDtypes - 1));
  arguments.dims(2, &shape);
  if (checked_bytes(shape) < 0) arguments.fail(Type::range, "ERR_INVALID_VALUE", "shape " + shape_text(shape) + " is too large");
  return from_double(env, Environment::of(env).create(arguments.value(0), shape));
}

// view(owner, tensor, ...dims): id
napi_value view(napi_env env, const Arguments& arguments) {
  Environment& environment = Environment::of(env);
  require_object(env, arguments, 0);
  const Entry& of = tensor(arguments, environment, 1);
  Tensor shape;
  shape.dtype = of.tensor.dtype;
  arguments.dims(2, &shape);
  if (checked_bytes(shape) < 0 || shape.size() != of.tensor.size()) {
    arguments.fail(Type::range, "ERR_INVALID_VALUE",
                   "shape " + shape_text(shape) + " has not as many elements as the tensor's, " + shape_text(of.tensor));
  }
  return from_double(env, environment.view(arguments.value(0), shape, arguments.number(1, "tensor")));
}

// piece(owner, tensor, byte offset, dtype, ...dims): id
napi_value piece(napi_env env, const Arguments& arguments) {
  Environment& environment = Environment::of(env);
  require_object(env, arguments, 0);
  const Entry& of = whole_tensor(arguments, environment, 1);
  Tensor shape;
  shape.dtype = static_cast<Dtype>(arguments.integer(3, "dtype", 0, kDtypes - 1));
  arguments.dims(4, &shape);
  const int64_t bytes = checked_bytes(shape), most = static_cast<int64_t>(of.storage->bytes);
  if (bytes < 0 || bytes > most) arguments.fail(Type::range, "ERR_INVALID_VALUE", "shape " + shape_text(shape) + " is too large");
  const int64_t offset = arguments.integer(2, "offset", 0, most - bytes);
  if (offset % static_cast<int64_t>(Allocator::kAlignment) != 0) {
    arguments.fail(Type::range, "ERR_INVALID_VALUE", "offset is " + std::to_string(offset) + ", expected a multiple of 64");
  }
  return from_double(env, environment.piece(arguments.value(0), shape, arguments.number(1, "tensor"), static_cast<size_t>(offset)));
}

// free(tensor)
napi_value free_tensor(napi_env env, const Arguments& arguments) {
  arguments.require_count(1, 1);
  Environment& environment = Environment::of(env);
  tensor(arguments, environment, 0);
  environment.free(arguments.number(0, "tensor"));
  return nullptr;
}

// upload(tensor, view)
napi_value upload(napi_env env, const Arguments& arguments) {
  arguments.require_count(2, 2);
  Environment& environment = Environment::of(env);
  const Entry& entry = whole_tensor(arguments, environment, 0);
  size_t size = 0;
  const void* const bytes = arguments.bytes(1, "data", &size);
  if (size != entry.storage->bytes) {
    arguments.fail(Type::range, "ERR_INVALID_VALUE",
                   "data has " + std::to_string(size) + " bytes, expected " + std::to_string(entry.storage->bytes) + " for " +
                       name_of(entry.tensor.dtype) + " " + shape_text(entry.tensor));
  }
  environment.upload(arguments.number(0, "tensor"), bytes);
  return nullptr;
}

// read(tensor): Promise<ArrayBuffer>; readSync(tensor): ArrayBuffer; sync(): Promise<void>; syncSync()
napi_value read(napi_env env, const Arguments& arguments) {
  arguments.require_count(1, 1);
  Environment& environment = Environment::of(env);
  whole_tensor(arguments, environment, 0);
  return environment.read(arguments.number(0, "tensor"));
}
napi_value read_sync(napi_env env, const Arguments& arguments) {
  arguments.require_count(1, 1);
  Environment& environment = Environment::of(env);
  whole_tensor(arguments, environment, 0);
  return environment.read_sync(arguments.number(0, "tensor"));
}
// settled(tensor): Promise<void>
napi_value settled(napi_env env, const Arguments& arguments) {
  arguments.require_count(1, 1);
  Environment& environment = Environment::of(env);
  tensor(arguments, environment, 0);
  return environment.settled(arguments.number(0, "tensor"));
}
napi_value sync(napi_env env, const Arguments&) { return Environment::of(env).read(0); }
napi_value sync_sync(napi_env env, const Arguments&) { return Environment::of(env).read_sync(0); }

// memory(): { tensors, bytes, peakBytes, kept, reserved }
napi_value memory(napi_env env, const Arguments&) {
  const Environment& environment = Environment::of(env);
  napi_value result;
  check(env, napi_create_object(env, &result));
  set_number(env, result, "tensors", static_cast<double>(environment.tensors().tensors()));
  set_number(env, result, "bytes", static_cast<double>(environment.tensors().bytes()));
  set_number(env, result, "peakBytes", static_cast<double>(environment.tensors().peak_bytes()));
  set_number(env, result, "kept", static_cast<double>(environment.kept()));
  set_number(env, result, "reserved", static_cast<double>(environment.reserved()));
  return result;
}

// detach(bytes)
napi_value detach(napi_env env, const Arguments& arguments) {
  arguments.require_count(1, 1);
  napi_typedarray_type type;
  napi_value buffer;
  size_t length = 0, offset = 0, whole = 0;
  bool is_array = false;
  check(env, napi_is_typedarray(env, arguments.value(0), &is_array));
  if (!is_array) arguments.fail(Type::type, "ERR_INVALID_TYPE", "bytes is no typed array");
  check(env, napi_get_typedarray_info(env, arguments.value(0), &type, &length, nullptr, &buffer, &offset));
  if (type != napi_uint8_array || napi_get_arraybuffer_info(env, buffer, nullptr, &whole) != napi_ok || length != whole) return nullptr;
  napi_detach_arraybuffer(env, buffer);  // one that must not be stays as it is
  return nullptr;
}

// trim()
napi_value trim(napi_env env, const Arguments&) {
  Environment::of(env).trim();
  return nullptr;
}

// info(): { isa, threads, napi }
napi_value info(napi_env env, const Arguments&) {
  napi_value result, isa;
  uint32_t version = 0;
  check(env, napi_get_version(env, &version));
  check(env, napi_create_object(env, &result));
  check(env, napi_create_string_utf8(env, kernels().isa, NAPI_AUTO_LENGTH, &isa));
  check(env, napi_set_named_property(env, result, "isa", isa));
  set_number(env, result, "threads", Pool::shared().threads());
  set_number(env, result, "napi", version);
  return result;
}

// setNumThreads(n)
napi_value set_num_threads(napi_env, const Arguments& arguments) {
  arguments.require_count(1, 1);
  Pool::shared().set_threads(static_cast<int>(arguments.integer(0, "threads", 1, Pool::kMaxThreads)));
  return nullptr;
}

// lowerThreadPriority()
napi_value lower_thread_priority(napi_env, const Arguments& arguments) {
  arguments.require_count(0, 0);
  Pool::shared().lower_kernel_threads();
  return nullptr;
}

// peak(): FLOP/s
napi_value peak(napi_env env, const Arguments&) { return from_double(env, measure_peak()); }

const Function functions[] = {
    {"create", create},
    {"view", view},
    {"piece", piece},
    {"free", free_tensor},
    {"upload", upload},
    {"read", read},
    {"readSync", read_sync},
    {"sync", sync},
    {"syncSync", sync_sync},
    {"settled", settled},
    {"memory", memory},
    {"trim", trim},
    {"detach", detach},
    {"info", info},
    {"setNumThreads", set_num_threads},
    {"peak", peak},
    {"lowerThreadPriority", lower_thread_priority},
};

napi_value call_function(napi_env env, napi_callback_info call) {
  try {
    Arguments arguments(env, call);
    const Function& function = *static_cast<const Function*>(arguments.data());
    arguments.set_function(function.name);
    return function.body(env, arguments);
  } catch (...) {
    throw_caught(env);
    return nullptr;
  }
}

void set_function(napi_env env, napi_value object, const char* name, napi_callback callback, const void* data) {
  napi_value function;
  check(env, napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, const_cast<void*>(data), &function));
  check(env, napi_set_named_property(env, object, name, function));
}

napi_value initialize(napi_env env, napi_value exports) {
  try {
    kernels();  // an impossible RECEPTIVE_ISA is an error of require()
    Environment::attach(env);
    for (const Function& function : functions) set_function(env, exports, function.name, call_function, &function);
    for (const Function* plan = plan_functions; plan->name != nullptr; ++plan) set_function(env, exports, plan->name, call_function, plan);
    napi_value ops;
    check(env, napi_create_object(env, &ops));
    for (const Op* op = all_ops(); op->name != nullptr; ++op) set_function(env, ops, op->name, call_op, op);
    check(env, napi_set_named_property(env, exports, "ops", ops));
    return exports;
  } catch (...) {
    throw_caught(env);
    return nullptr;
  }
}

}  // namespace

}  // namespace receptive

NAPI_MODULE_INIT() { return receptive::initialize(env, exports); }
