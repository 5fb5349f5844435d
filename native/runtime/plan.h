// A plan: commands that were captured instead of recorded, which run again and again as one.
//
// Its commands point into storages the plan holds, most of them into one arena whose pieces they share in turn. A run copies the inputs to
// where the commands expect them, runs the commands in order, and copies the outputs from where they left them. Runs follow each other in
// the stream, so that one arena is enough for all of them; what commands make of constant operands stays (Kept), and is shared
// by plans that make the same of them.
//
// The environment's thread makes, cancels and destroys a plan; the stream's runs it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "command.h"
#include "kernel_context.h"
#include "stream.h"
#include "tensor.h"
#include "tensor_table.h"

namespace receptive {

class Plan {
 public:
  Plan() = default;
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  // kept: where the operand that the command would pack or transform is the same in every run, for what it makes of it; else null.
  void add(const Command& command, std::shared_ptr<Kept> kept);

  // Where inputs are expected and outputs left: at most Uses::kMax in all.
  std::vector<Tensor> inputs, outputs;
  // What the commands point into.
  std::vector<Storage*> held;
  // The number in the stream of its latest run.
  uint64_t last_run = 0;

  // The command of one run: the data of inputs, then of outputs, as large as the plan's. `ticket` names the run.
  Command run(uint64_t ticket, void* const* data) const;
  // A run that has not ended stops before its next command. Any thread.
  void cancel(uint64_t ticket);

  size_t commands() const { return steps_.size(); }
  // Bytes kept between runs, those included that other plans share.
  size_t kept_bytes() const;
  // body(kept) for each command that keeps something. Any thread, while nothing is added.
  template <class Body>
  void each_kept(const Body& body) const {
    for (const Step& step : steps_) {
      if (step.kept != nullptr) body(*step.kept);
    }
  }

 private:
  struct Step {
    Command command;
    std::shared_ptr<Kept> kept;
  };
  struct Run {
    Plan* plan;
    uint64_t ticket;
    void* data[Uses::kMax];
  };
  static void run(const Run& run, Context& context);
  bool cancelled(uint64_t ticket);

  std::vector<Step> steps_;
  std::atomic<int> cancellations_{0};
  std::mutex mutex_;
  std::vector<uint64_t> cancelled_;  // guarded by mutex_
};

}  // namespace receptive
