// The part of an environment that captures commands into plans and runs these.
#include <algorithm>
#include <string>
#include <utility>

#include "arguments.h"
#include "environment.h"

namespace receptive {

void Environment::capture() { capture_ = std::make_unique<Capture>(); }

// Where what a command makes of a constant stays, null where that is none: pieces are of memory that commands fill.
std::shared_ptr<Kept> Environment::kept_for(const Packed& packed, TensorTable::Entry* const* used) {
  const auto& [operands, call] = packed;
  const TensorTable::Entry* last = nullptr;
  for (uint32_t i = 0; operands >> i != 0; ++i) {
    if ((operands >> i & 1u) == 0) continue;
    last = used[i];
    if (last->piece || capture_->made.count(last->storage) > 0) return nullptr;
  }
  if (call.keep == Call::Keep::own) return std::make_shared<Kept>();
  const TensorTable::Entry& operand = *last;  // the only one
  Storage& storage = *operand.storage;
  std::vector<double> form(call.attr, call.attr + call.attrs);
  form.push_back(static_cast<double>(operand.offset));
  for (int d = 0; d < operand.tensor.rank; ++d) form.push_back(static_cast<double>(operand.tensor.dims[d]));
  storage.made.erase(std::remove_if(storage.made.begin(), storage.made.end(), [](const Made& made) { return made.kept.expired(); }),
                     storage.made.end());
  for (const Made& made : storage.made) {
    if (made.op != call.op || made.form != form) continue;
    if (std::shared_ptr<Kept> kept = made.kept.lock()) return kept;
  }
  auto kept = std::make_shared<Kept>();
  storage.made.push_back({call.op, std::move(form), kept});
  return kept;
}

void Environment::capture(const Command& command, TensorTable::Entry* const* used, int uses, const Packed* packed) {
  for (int i = 0; i < uses; ++i) {
    Storage* const storage = used[i]->storage;
    if (capture_->held.insert(storage).second) {
      capture_->plan->held.push_back(storage);
      TensorTable::hold(storage);
    }
    if (!storage->written) capture_->made.insert(storage);
    storage->written = true;
  }
  capture_->plan->add(command, packed != nullptr ? kept_for(*packed, used) : nullptr);
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

static Plan* find_in(const std::unordered_map<uint64_t, std::unique_ptr<Plan>>& plans, double id) {
  const auto found = id >= 0 && id < 0x1p53 ? plans.find(static_cast<uint64_t>(id)) : plans.end();
  return found == plans.end() || static_cast<double>(found->first) != id ? nullptr : found->second.get();
}

Plan* Environment::find_plan(double id) { return find_in(plans_, id); }

Plan* Environment::find_running(double id) {
  Plan* const plan = find_plan(id);
  return plan != nullptr ? plan : find_in(retired_, id);
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
  retired_.insert(plans_.extract(found));
  destroy_retired();
}

void Environment::destroy_retired() {
  const uint64_t completed = stream_.completed();
  for (auto plan = retired_.begin(); plan != retired_.end();) plan = plan->second->last_run <= completed ? retired_.erase(plan) : ++plan;
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
  std::unordered_set<const Kept*> counted;
  const auto count = [&](const Kept& kept) {
    if (counted.insert(&kept).second) sum += kept.bytes();
  };
  for (const auto& [id, plan] : plans_) plan->each_kept(count);
  for (const auto& [id, plan] : retired_) plan->each_kept(count);
  return sum;
}

}  // namespace receptive
