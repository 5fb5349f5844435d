// The part of an environment that captures commands into plans and runs these.
#include <algorithm>
#include <string>
#include <utility>

#include "arguments.h"
#include "environment.h"

namespace receptive {

void Environment::capture() { capture_ = std::make_unique<Capture>(); }

void Environment::capture(const Command& command, TensorTable::Entry* const* used, int uses, uint32_t packs) {
  for (int i = 0; i < uses; ++i) {
    Storage* const storage = used[i]->storage;
    if (capture_->held.insert(storage).second) {
      capture_->plan->held.push_back(storage);
      TensorTable::hold(storage);
    }
    if (!storage->written) capture_->made.insert(storage);
    storage->written = true;
  }
  bool constant = packs != 0;
  for (int i = 0; i < uses; ++i) {
    if (packs >> i & 1u) constant = constant && capture_->made.count(used[i]->storage) == 0;
  }
  capture_->plan->add(command, constant);
}

double Environment::end_capture(napi_value owner, const std::vector<double>& inputs, const std::vector<double>& outputs) {
  const std::unique_ptr<Capture> capture = std::move(capture_);
  if (capture == nullptr) return 0;
  const auto slot = [&](double id) {
    const TensorTable::Entry& entry = tensor(id);
    if (capture->held.count(entry.storage) == 0) {
      throw BindingError(BindingError::Type::range, "ERR_INVALID_VALUE", "receptive: no command of the plan uses an input or output of it");
    }
    return entry.tensor;
  };
  Plan& plan = *capture->plan;
  try {
    if (owner == nullptr) {
      let_go(plan);
      return 0;
    }
    if (inputs.size() + outputs.size() > static_cast<size_t>(Uses::kMax)) {
      throw BindingError(BindingError::Type::range, "ERR_INVALID_VALUE",
                         "receptive: a plan has at most " + std::to_string(Uses::kMax) + " inputs and outputs in all");
    }
    for (const double id : inputs) plan.inputs.push_back(slot(id));
    for (const double id : outputs) plan.outputs.push_back(slot(id));
    const uint64_t id = next_plan_;
    const auto collected = [](napi_env, void* self, void* hint) {
      static_cast<Environment*>(self)->free_plan(static_cast<double>(reinterpret_cast<uintptr_t>(hint)));
    };
    check(env_, napi_add_finalizer(env_, owner, this, collected, reinterpret_cast<void*>(static_cast<uintptr_t>(id)), nullptr));
    plans_.emplace(id, std::move(capture->plan));
    ++next_plan_;
    return static_cast<double>(id);
  } catch (...) {
    if (capture->plan != nullptr) let_go(plan);
    throw;
  }
}

Plan* Environment::find_plan(double id) {
  const auto found = id >= 0 && id < 0x1p53 ? plans_.find(static_cast<uint64_t>(id)) : plans_.end();
  return found == plans_.end() || static_cast<double>(found->first) != id ? nullptr : found->second.get();
}

// Memory is freed in stream order: what the last run uses is taken again by later commands only.
void Environment::let_go(Plan& plan) {
  for (Storage* const storage : plan.held) {
    storage->block->last_use = std::max(storage->block->last_use, plan.last_run);
    tensors_.let_go(storage);
  }
  plan.held.clear();
}

void Environment::free_plan(double id) {
  Plan* const plan = find_plan(id);
  if (closed_ || plan == nullptr) return;
  let_go(*plan);
  const auto found = plans_.find(static_cast<uint64_t>(id));
  retired_.push_back(std::move(found->second));
  plans_.erase(found);
  destroy_retired();
}

void Environment::destroy_retired() {
  const uint64_t completed = stream_.completed();
  const auto ended = [&](const std::unique_ptr<Plan>& plan) { return plan->last_run <= completed; };
  retired_.erase(std::remove_if(retired_.begin(), retired_.end(), ended), retired_.end());
}

double Environment::run_plan(Plan& plan, const std::vector<TensorTable::Entry*>& used) {
  destroy_retired();
  void* data[Uses::kMax];
  for (size_t i = 0; i < used.size(); ++i) data[i] = used[i]->tensor.data;
  const uint64_t ticket = next_ticket_++;
  record(plan.run(ticket, data), used.data(), static_cast<int>(used.size()));
  plan.last_run = stream_.recorded();
  return static_cast<double>(ticket);
}

size_t Environment::reserved() const {
  size_t sum = allocator_.reserved() + stream_.reserved();
  for (const auto& [id, plan] : plans_) sum += plan->kept_bytes();
  for (const auto& plan : retired_) sum += plan->kept_bytes();
  return sum;
}

}  // namespace receptive
