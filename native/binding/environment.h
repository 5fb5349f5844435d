// All native state of one Node-API environment: its stream, memory, tensors, and the reads JavaScript is waiting for.
#pragma once

#include <node_api.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "../ops/op.h"
#include "../runtime/allocator.h"
#include "../runtime/plan.h"
#include "../runtime/stream.h"
#include "../runtime/tensor_table.h"

namespace receptive {

class Environment {
 public:
  // Creates the state and binds its end to the environment's.
  static void attach(napi_env env);
  static Environment& of(napi_env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // The tensor of that id, or null.
  TensorTable::Entry* find(double id) { return tensors_.find(id); }

  // Below, an id of no tensor is a TypeError.

  // A tensor that lives until it is freed or `owner` is collected. This is where tensors of collected owners are found and freed: an
  // id does not keep its tensor, only its owner does. The contents are what was in that memory before.
  double create(napi_value owner, const Tensor& shape);
  // Another over the storage of that one.
  double view(napi_value owner, const Tensor& shape, double id);
  // Another over so many bytes of that one as its shape says, from the offset on, which lie inside. It cannot be filled or read.
  double piece(napi_value owner, const Tensor& shape, double id, size_t offset);
  void free(double id);

  // Fills the tensor with bytes now, as many as it has.
  void upload(double id, const void* bytes);
  // A promise of the tensor's bytes once what leads to them has run; for id 0, a sync, of undefined once everything recorded so far has. It
  // is rejected with the failure stream.h says it is told.
  napi_value read(double id);
  // The same, at once.
  napi_value read_sync(double id);
  // A promise of undefined once everything recorded so far has run; rejected with the failure of what led to the tensor.
  napi_value settled(double id);

  // The operands of a call whose contents its command may pack, by bit of those it uses.
  struct Packed {
    uint32_t operands;
    const Call& call;
  };

  // From here on commands are captured into a plan instead of recorded.
  void capture();
  // What was captured since, as a plan with these inputs and outputs, which are used by its commands; it lives until it is freed or `owner`
  // is collected. Without an owner it is dropped.
  double end_capture(napi_value owner, const std::vector<double>& inputs, const std::vector<double>& outputs);
  bool capturing() const { return capture_ != nullptr; }
  Plan* find_plan(double id);
  // The same, or one that was freed and may have a run left; else null.
  Plan* find_running(double id);
  void free_plan(double id);
  // Records a run of the plan on these tensors, of the shapes and types of its inputs and outputs. Returns the ticket that cancels it.
  double run_plan(Plan& plan, const std::vector<TensorTable::Entry*>& used);

  // What a command writes that may have contents, by bit of those it uses; see Uses.
  struct Writes {
    uint32_t overwritten = 0, changed = 0, updated = 0;
  };

  // Records a command that uses those tensors; `packed` says what it makes of its operands, if it is known to. Throws instead where an
  // update of one that is to be updated was left out, and nobody was told.
  void record(const Command& command, TensorTable::Entry* const* used, int uses, const Writes& writes, const Packed* packed = nullptr) {
    if (capture_ != nullptr) return capture(command, used, uses, packed);
    Uses blocks;
    uint32_t packs = 0;
    std::shared_ptr<Kept> kept;
    if (packed != nullptr && packed->call.keep == Call::Keep::shared) {
      packs = packed->operands;
      kept = kept_lately(*packed, used);
    }
    for (int i = 0; i < uses; ++i) {
      blocks.add(used[i]->storage->block, !used[i]->storage->written || (writes.overwritten >> i & 1u) != 0);
      if ((packs >> i & 1u) == 0) used[i]->storage->change();
    }
    blocks.changed = writes.changed & ~blocks.results;
    blocks.updated = writes.updated & ~blocks.results;
    if (blocks.updated != 0) check_left_out(blocks);
    const uint64_t number = stream_.record(command, blocks, std::move(kept));
    for (int i = 0; i < uses; ++i) {
      used[i]->storage->block->last_use = number;
      used[i]->storage->written = true;
    }
  }

  // Gives memory that lies idle back to the system, once everything recorded so far has run.
  void trim();

  const TensorTable& tensors() const { return tensors_; }
  // Bytes of what kernels made of operands, kept for later calls and runs of plans.
  size_t kept() const;
  // Bytes taken from the system and not given back, those included.
  size_t reserved() const { return allocator_.reserved() + stream_.reserved() + kept(); }

 private:
  struct Read;
  struct Capture {
    std::unique_ptr<Plan> plan = std::make_unique<Plan>();
    std::unordered_set<Storage*> held;
    std::unordered_set<Storage*> made;  // of these, those its commands fill
  };

  explicit Environment(napi_env env);
  void close();

  Block* acquire(size_t bytes, bool for_host);
  void own(napi_value owner, double id);
  void made(int64_t bytes);
  void sweep();
  void collect_garbage();
  void report_memory();
  int64_t held() const;
  void forget_owner(TensorTable::Entry& entry);
  void check_left_out(const Uses& blocks);
  void capture(const Command& command, TensorTable::Entry* const* used, int uses, const Packed* packed);
  std::shared_ptr<Kept> kept_for(const Packed& packed, TensorTable::Entry* const* used);
  std::shared_ptr<Kept> kept_lately(const Packed& packed, TensorTable::Entry* const* used);
  void drop_kept();
  void let_go(Plan& plan);
  void destroy_retired();
  napi_value promise(std::unique_ptr<Read> read, double id);
  napi_value new_array_buffer(size_t bytes, void** data);
  TensorTable::Entry& tensor(double id);
  uint64_t record_read(double id, void* destination, Stream::Done done, void* data);
  void forget_read(Read* read);
  void settle(Read* read);
  // What a promise is resolved or rejected with: a copy of the data, undefined if there are none, or the error.
  struct Outcome {
    bool resolved;
    napi_value value;
  };
  Outcome outcome(const std::string& failure, const void* data, size_t bytes);
  void conclude(napi_deferred deferred, const Outcome& outcome);
  static void on_settled(napi_env env, napi_value callback, void* context, void* data);
  static void on_collected(napi_env env, void* self, void* id);

  napi_env env_;
  Stream stream_;
  Allocator allocator_;
  TensorTable tensors_;
  std::unordered_map<Read*, std::unique_ptr<Read>> reads_;
  napi_threadsafe_function settled_ = nullptr;  // keeps the event loop alive while there are reads
  napi_ref array_buffer_ = nullptr;             // the constructor
  int read_at_once_ = 0;                        // since the event loop last came round with a result
  int64_t made_since_sweep_ = 0;                // bytes
  int64_t least_held_ = 0;                      // bytes, after any sweep since V8 was last made to collect
  int64_t allowed_garbage_;                     // bytes
  int64_t reported_ = 0;                        // bytes V8 knows of
  int64_t made_since_report_ = 0;               // bytes, since it last heard of less
  int64_t most_held_ = 0;                       // bytes, since then
  int64_t collected_ = 0;                       // bytes, since it heard of them
  bool closed_ = false;
  std::unique_ptr<Capture> capture_;
  std::unordered_map<uint64_t, std::unique_ptr<Plan>> plans_;
  // Freed, with runs that may not have ended.
  std::unordered_map<uint64_t, std::unique_ptr<Plan>> retired_;
  uint64_t next_plan_ = 1;
  uint64_t next_ticket_ = 1;
};

}  // namespace receptive
