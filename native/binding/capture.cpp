// The part of an environment that captures commands into plans and runs these.
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "arguments.h"
#include "environment.h"

namespace receptive {

namespace {

// The only operand whose contents a call packs.
const TensorTable::Entry& operand_of(uint32_t operands, TensorTable::Entry* const* used) {
  int i = 0;
  while (operands >> (i + 1) != 0) ++i;
  return *used[i];
}

// Calls body(number) for all that tells, beside its op, what a call makes of an operand.
template <class Body>
void each_of_form(const TensorTable::Entry& operand, const Call& call, const Body& body) {
  for (int i = 0; i < call.attrs; ++i) body(call.attr[i]);
  body(static_cast<double>(operand.offset));
  for (int d = 0; d < operand.tensor.rank; ++d) body(static_cast<double>(operand.tensor.dims[d]));
}

// The same in one number, which calls that are not kept yet are told apart by.
uint64_t digest_of(const TensorTable::Entry& operand, const Call& call) {
  uint64_t digest = reinterpret_cast<uintptr_t>(call.op);
  each_of_form(operand, call, [&](double number) {
    uint64_t bits = 0;
    std::memcpy(&bits, &number, sizeof bits);
    digest = (digest ^ bits ^ (bits >> 32)) * 0x100000001b3;  // FNV
  });
  return digest;
}

// What is kept of what that call makes of its operand, of all calls that make the same.
Made& made_of(const TensorTable::Entry& operand, const Call& call) {
  std::vector<Made>& all = operand.storage->made;
  std::vector<double> form;
  each_of_form(operand, call, [&](double number) { form.push_back(number); });
  all.erase(std::remove_if(all.begin(), all.end(), [](const Made& made) { return made.kept.expired(); }), all.end());
  const auto same = [&](const Made& made) { return made.op == call.op && made.form == form; };
  const auto found = std::find_if(all.begin(), all.end(), same);
  return found != all.end() ? *found : (all.push_back({call.op, std::move(form), {}, nullptr}), all.back());
}

std::shared_ptr<Kept> kept_of(Made& made) {
  std::shared_ptr<Kept> kept = made.kept.lock();
  if (kept == nullptr) made.kept = kept = std::make_shared<Kept>();
  return kept;
}

}  // namespace

void Environment::capture() {
  drop_kept();  // a plan keeps what it makes itself, whatever calls before made
  capture_ = std::make_unique<Capture>();
}

// Where what a command makes of a constant stays, null where that is none: pieces are of memory that commands fill.
std::shared_ptr<Kept> Environment::kept_for(const Packed& packed, TensorTable::Entry* const* used) {
  const auto& [operands, call] = packed;
  for (uint32_t i = 0; operands >> i != 0; ++i) {
    if ((operands >> i & 1u) != 0 && (used[i]->piece || capture_->made.count(used[i]->storage) > 0)) return nullptr;
  }
  return call.keep == Call::Keep::own ? std::make_shared<Kept>() : kept_of(made_of(operand_of(operands, used), call));
}

// The same outside of plans: where calls in a row packed an operand in one way and nothing else was done with it, as those of a trained
// network that runs. One that is trained has its weights written in between, or packed in another way for a gradient.
std::shared_ptr<Kept> Environment::kept_lately(const Packed& packed, TensorTable::Entry* const* used) {
  constexpr int kCalls = 2;                        // before this one
  constexpr size_t kMostBytes = size_t{16} << 20;  // of an operand
  constexpr int64_t kMostForms = 4;                // of one
  const TensorTable::Entry& operand = operand_of(packed.operands, used);
  Storage& storage = *operand.storage;
  if (operand.piece || storage.bytes > kMostBytes) return nullptr;
  if (const uint64_t digest = digest_of(operand, packed.call); digest != storage.packed_as) storage.packed_as = digest, storage.packed = 0;
  if (storage.packed < kCalls) {
    ++storage.packed;
    return nullptr;
  }
  Made& made = made_of(operand, packed.call);
  const auto is_held = [](const Made& other) { return other.held != nullptr; };
  if (!is_held(made) && std::count_if(storage.made.begin(), storage.made.end(), is_held) >= kMostForms) return nullptr;
  return made.held = kept_of(made);
}

void Environment::drop_kept() {
  tensors_.each_storage([](Storage& storage) {
    for (Made& made : storage.made) made.held.reset();
  });
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
  record(plan.run(ticket, data), used.data(), static_cast<int>(used.size()), Writes{});
  plan.last_run = stream_.recorded();
  return static_cast<double>(ticket);
}

size_t Environment::kept() const {
  size_t sum = 0;
  std::unordered_set<const Kept*> counted;
  const auto count = [&](const Kept& kept) {
    if (counted.insert(&kept).second) sum += kept.bytes();
  };
  for (const auto& [id, plan] : plans_) plan->each_kept(count);
  for (const auto& [id, plan] : retired_) plan->each_kept(count);
  tensors_.each_storage([&](const Storage& storage) {
    for (const Made& made : storage.made) {
      if (made.held != nullptr) count(*made.held);
    }
  });
  return sum;
}

}  // namespace receptive
