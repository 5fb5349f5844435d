// What the addon's functions share.
#pragma once

#include "arguments.h"
#include "environment.h"

namespace receptive {

using Entry = TensorTable::Entry;

// A function of the addon's, by the name lib/native.ts knows it by.
struct Function {
  const char* name;
  napi_value (*body)(napi_env, const Arguments&);
};

// Those of plans.cpp. Ends with a null name.
extern const Function plan_functions[];

void require_object(napi_env env, const Arguments& arguments, size_t i);
// The tensor that argument i names.
Entry& tensor(const Arguments& arguments, Environment& environment, size_t i);
// The same, which is no piece of another.
Entry& whole_tensor(const Arguments& arguments, Environment& environment, size_t i);
napi_value from_double(napi_env env, double value);
void set_number(napi_env env, napi_value object, const char* name, double value);

}  // namespace receptive
