// The addon's functions for plans: commands captured once, run many times.
#include <algorithm>
#include <string>

#include "../ops/op.h"
#include "functions.h"

namespace receptive {

namespace {

using Type = BindingError::Type;

// capture()
napi_value capture(napi_env env, const Arguments& arguments) {
  Environment& environment = Environment::of(env);
  if (environment.capturing()) arguments.fail(Type::type, "ERR_UNSUPPORTED", "a plan is being captured already");
  environment.capture();
  return nullptr;
}

// endCapture(owner, inputs, ...tensors): plan; endCapture() drops what was captured
napi_value end_capture(napi_env env, const Arguments& arguments) {
  Environment& environment = Environment::of(env);
  if (arguments.count() == 0) {
    environment.end_capture(nullptr, {}, {});
    return nullptr;
  }
  require_object(env, arguments, 0);
  if (!environment.capturing()) arguments.fail(Type::type, "ERR_UNSUPPORTED", "no plan is being captured");
  const auto tensors = static_cast<int64_t>(arguments.count()) - 2;
  const int64_t count = arguments.integer(1, "inputs", 0, std::max<int64_t>(tensors, 0));
  std::vector<double> inputs, outputs;
  for (int64_t i = 0; i < tensors; ++i) {
    tensor(arguments, environment, static_cast<size_t>(i + 2));
    (i < count ? inputs : outputs).push_back(arguments.number(static_cast<size_t>(i + 2), "tensor"));
  }
  return from_double(env, environment.end_capture(arguments.value(0), inputs, outputs));
}

// The plan that argument 0 names.
Plan& plan_of(const Arguments& arguments, Environment& environment) {
  Plan* const plan = environment.find_plan(arguments.number(0, "plan"));
  if (plan == nullptr) arguments.fail(Type::type, "ERR_DISPOSED", "no such plan, or it was disposed of");
  return *plan;
}

// run(plan, ...inputs, ...outputs): ticket
napi_value run_plan(napi_env env, const Arguments& arguments) {
  Environment& environment = Environment::of(env);
  Plan& plan = plan_of(arguments, environment);
  if (environment.capturing()) arguments.fail(Type::type, "ERR_UNSUPPORTED", "a plan cannot run while one is being captured");
  const size_t inputs = plan.inputs.size(), count = inputs + plan.outputs.size();
  arguments.require_count(static_cast<int>(count) + 1, static_cast<int>(count) + 1);
  std::vector<Entry*> used;
  for (size_t i = 0; i < count; ++i) {
    Entry& entry = whole_tensor(arguments, environment, i + 1);
    const Tensor& expected = i < inputs ? plan.inputs[i] : plan.outputs[i - inputs];
    bool fits = entry.tensor.dtype == expected.dtype && entry.tensor.rank == expected.rank;
    for (int d = 0; fits && d < expected.rank; ++d) fits = entry.tensor.dims[d] == expected.dims[d];
    if (!fits) {
      arguments.fail(Type::range, "ERR_SHAPE",
                     std::string(i < inputs ? "input " : "output ") + std::to_string(i < inputs ? i : i - inputs) + " is " +
                         name_of(entry.tensor.dtype) + " " + shape_text(entry.tensor) + ", expected " + name_of(expected.dtype) + " " +
                         shape_text(expected));
    }
    for (size_t j = inputs; i >= inputs && j < i; ++j) {
      if (used[j]->storage == entry.storage) arguments.fail(Type::range, "ERR_INVALID_VALUE", "two outputs share their memory");
    }
    used.push_back(&entry);
  }
  return from_double(env, environment.run_plan(plan, used));
}

// cancel(plan, ticket)
napi_value cancel(napi_env env, const Arguments& arguments) {
  arguments.require_count(2, 2);
  const double plan = arguments.number(0, "plan");
  const auto ticket = static_cast<uint64_t>(arguments.integer(1, "ticket", 0, int64_t{1} << 53));
  if (Plan* const running = Environment::of(env).find_running(plan)) running->cancel(ticket);
  return nullptr;
}

// freePlan(plan)
napi_value free_plan(napi_env env, const Arguments& arguments) {
  arguments.require_count(1, 1);
  Environment& environment = Environment::of(env);
  plan_of(arguments, environment);
  environment.free_plan(arguments.number(0, "plan"));
  return nullptr;
}

// planInfo(plan): { commands, keptBytes }
napi_value plan_info(napi_env env, const Arguments& arguments) {
  arguments.require_count(1, 1);
  const Plan& plan = plan_of(arguments, Environment::of(env));
  napi_value result;
  check(env, napi_create_object(env, &result));
  set_number(env, result, "commands", static_cast<double>(plan.commands()));
  set_number(env, result, "keptBytes", static_cast<double>(plan.kept_bytes()));
  return result;
}

}  // namespace

const Function plan_functions[] = {{"capture", capture},    {"endCapture", end_capture}, {"run", run_plan}, {"cancel", cancel},
                                   {"freePlan", free_plan}, {"planInfo", plan_info},     {nullptr, nullptr}};

}  // namespace receptive
