// The stream of one environment: a thread that runs commands in the order they were recorded.
//
// One thread (the environment's) records, reads and waits; one thread (the stream's) runs. Commands are numbered from 1 as they are
// recorded; completed() is the number of the last that has run. Whoever lends memory to a command keeps it until then.
//
// A failure follows the data. When a command fails, what it writes is marked with the message; so is what a command writes that is given a
// marked block; and a read of a marked block is told. But one bad batch must not mark the parameters for good, nor change them: a command
// that updates blocks which outlive the batch does not run where a block it is given is marked, and leaves them as they are. Unless a read
// was told meanwhile, the next update of such a block is. Work that shares the stream but no data is told nothing.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "allocator.h"
#include "command.h"
#include "kernel_context.h"

namespace receptive {

// The blocks a command is given. Of the sets bit i says that block i is one. Where they are all empty it may write any.
struct Uses {
  static constexpr int kMax = 24;
  int count = 0;
  uint32_t results = 0;  // has no contents yet, or they do not matter
  uint32_t changed = 0;  // is written in part, or depends on what it was
  uint32_t updated = 0;  // the same, and outlives the batch
  Block* blocks[kMax];

  Uses() = default;
  Uses(const Uses& other) { *this = other; }
  Uses& operator=(const Uses& other) {
    if (this == &other) return *this;
    count = other.count;
    results = other.results;
    changed = other.changed;
    updated = other.updated;
    std::copy_n(other.blocks, count, blocks);
    return *this;
  }

  void add(Block* block, bool result) {
    results |= static_cast<uint32_t>(result) << count;
    blocks[count++] = block;
  }
  bool is_result(int i) const { return ((results >> i) & 1u) != 0; }
  bool is_updated(int i) const { return ((updated >> i) & 1u) != 0; }
};

class Stream {
 public:
  // Called on the stream's thread when a read or a sync has been carried out. failure: what it is told, or "".
  using Done = void (*)(void* data, std::string failure);

  // Called on the stream's thread when there has been nothing to run for a pause, though not twice within a rest; and again, rested, when
  // there has been nothing for a rest more.
  using Idle = std::function<void(bool rested)>;
  using Milliseconds = std::chrono::milliseconds;

  explicit Stream(Idle idle, Milliseconds pause = Milliseconds(500), Milliseconds rest = Milliseconds(10'000));
  ~Stream() { stop(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Appends a command and returns its number. Blocks while kCapacity commands are waiting. The thread starts with the first one.
  // kept: where earlier commands kept what they made of operands that are still the same, and this one will; or null.
  uint64_t record(const Command& command, const Uses& uses = {}, std::shared_ptr<Kept> kept = nullptr);

  // Appends a copy of a block's first bytes into memory of the caller's, followed by a call of done.
  uint64_t read(void* destination, const Block& source, size_t bytes, Done done, void* data);

  // Appends a call of done, which is told of the first failure of any command since the last sync.
  uint64_t sync(Done done, void* data);

  // The failure for which an update of one of those that are to be updated was left out, if nobody was told of it yet; else "".
  std::string left_out(const Uses& uses);

  // To be called when a block becomes another tensor's: what commands recorded so far leave out is none of that one's.
  void renew(Block* block);

  // Blocks until that command has run.
  void wait(uint64_t number);

  uint64_t recorded() const { return recorded_.load(std::memory_order_relaxed); }
  uint64_t completed() const { return completed_.load(std::memory_order_acquire); }
  const std::atomic<uint64_t>& completed_counter() const { return completed_; }

  // Bytes of scratch memory held.
  size_t reserved() const { return context_.reserved(); }

  // Lets the running command finish, drops those behind it (their reads are never done) and joins the thread. Final.
  void stop();

  static constexpr uint64_t kCapacity = 4096;

 private:
  struct Read;
  struct Sync;
  struct Recorded {
    Uses uses;
    std::shared_ptr<Kept> kept;
    Command command;
  };
  void work();
  bool await_command(uint64_t done);
  template <class News>
  void sleep(const News& news);
  void run(Recorded& recorded, uint64_t number);
  bool execute(const Command& command, Kept* kept);
  void forget_left_out(Block& block);

  const Idle idle_;
  const Milliseconds pause_, rest_;
  std::chrono::steady_clock::time_point told_;  // of a pause
  std::unique_ptr<Recorded[]> ring_;            // command n is ring_[n % kCapacity] while recorded - kCapacity < n <= recorded
  KernelContext context_;
  std::shared_ptr<Failure> failure_;  // the first since the last sync
  std::thread thread_;
  uint64_t known_completed_ = 0;  // the recorder's last look at completed_

  alignas(64) std::atomic<uint64_t> recorded_{0};
  alignas(64) std::atomic<uint64_t> completed_{0};
  alignas(64) std::atomic<bool> stopping_{false};
  std::atomic<bool> parked_{false};            // the stream's thread sleeps, or is about to
  std::atomic<uint64_t> awaited_{UINT64_MAX};  // the number the recording thread sleeps for
  std::atomic<bool> leaves_out_{false};        // an update was left out, ever
  std::mutex left_out_mutex_;                  // guards left_out of blocks, once leaves_out_
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable reached_;
};

}  // namespace receptive
