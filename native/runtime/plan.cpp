#include "plan.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace receptive {

namespace {

constexpr size_t kCopyGrain = size_t{1} << 18;

void copy(void* to, const void* from, size_t bytes, Context& context) {
  if (bytes == 0 || to == from) return;
  const size_t chunks = (bytes + kCopyGrain - 1) / kCopyGrain;
  context.parallel(static_cast<int64_t>(chunks), [&](int64_t chunk, int) {
    const size_t begin = static_cast<size_t>(chunk) * kCopyGrain;
    std::memcpy(static_cast<unsigned char*>(to) + begin, static_cast<const unsigned char*>(from) + begin,
                std::min(kCopyGrain, bytes - begin));
  });
}

size_t bytes_of(const Tensor& tensor) { return static_cast<size_t>(tensor.size()) * size_of(tensor.dtype); }

}  // namespace

void Plan::add(const Command& command, std::shared_ptr<Kept> kept) { steps_.push_back({command, std::move(kept)}); }

size_t Plan::kept_bytes() const {
  size_t sum = 0;
  each_kept([&](const Kept& kept) { sum += kept.bytes(); });
  return sum;
}

Command Plan::run(uint64_t ticket, void* const* data) const {
  Run args{const_cast<Plan*>(this), ticket, {}};
  std::copy_n(data, inputs.size() + outputs.size(), args.data);
  return Command::of<Run>(run, args);
}

void Plan::cancel(uint64_t ticket) {
  const std::lock_guard<std::mutex> lock(mutex_);
  cancelled_.push_back(ticket);
  cancellations_.store(static_cast<int>(cancelled_.size()));
}

// Forgets the runs before this one, which have ended.
bool Plan::cancelled(uint64_t ticket) {
  if (cancellations_.load() == 0) return false;
  const std::lock_guard<std::mutex> lock(mutex_);
  cancelled_.erase(std::remove_if(cancelled_.begin(), cancelled_.end(), [&](uint64_t other) { return other < ticket; }), cancelled_.end());
  cancellations_.store(static_cast<int>(cancelled_.size()));
  return std::find(cancelled_.begin(), cancelled_.end(), ticket) != cancelled_.end();
}

void Plan::run(const Run& run, Context& stream_context) {
  KernelContext& context = static_cast<KernelContext&>(stream_context);  // the only one that runs commands
  Plan& plan = *run.plan;
  const size_t inputs = plan.inputs.size();
  for (size_t i = 0; i < inputs; ++i) copy(plan.inputs[i].data, run.data[i], bytes_of(plan.inputs[i]), context);
  for (Step& step : plan.steps_) {
    context.begin(step.kept.get());
    if (plan.cancelled(run.ticket)) {
      context.abandon("the run was cancelled");
      break;
    }
    step.command.run(context);
    if (context.failed()) break;
  }
  for (size_t i = 0; i < plan.outputs.size(); ++i) copy(run.data[inputs + i], plan.outputs[i].data, bytes_of(plan.outputs[i]), context);
}

}  // namespace receptive
