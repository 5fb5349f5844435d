// The allocator of one environment: 64-byte aligned blocks, cached by size, in stream order.
//
// A block that is put back may be taken again at once, although commands that use it have not run yet: whatever writes it next is a
// command recorded later, and the stream runs commands in order. Two parties do not go through the stream: the host, which writes
// uploads when it is told to, and the system, which takes memory back. They get a block only when completed() has passed its
// last_use, the number of the last command that touches it. That is the whole rule; nothing else keeps a tensor's memory alive.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "failure.h"
#include "system_memory.h"

namespace receptive {

struct Block {
  void* data;
  size_t bytes;                                 // at least what was asked for
  uint64_t last_use = 0;                        // set by whoever records a command on it
  std::shared_ptr<Failure> failure = nullptr;   // the stream's: what went wrong on the way to the contents, or null
  std::shared_ptr<Failure> left_out = nullptr;  // the stream's: for which an update of the contents was left out, or null
  std::atomic<uint64_t> since{0};               // the last command recorded before the block became its tensor's
  Block* newer = nullptr;
  Block* older = nullptr;
};

class Allocator {
 public:
  // completed: the number of the last command that has run. exact: blocks are of exactly the bytes asked for and never used twice,
  // so that AddressSanitizer sees a kernel step out of its tensor or use one that was freed.
  explicit Allocator(const std::atomic<uint64_t>& completed, bool exact = false) : completed_(completed), exact_(exact) {}
  // No command may be left that touches a block.
  ~Allocator();
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;

  // A block for commands to write; null when there is no memory. Not initialised.
  Block* take(size_t bytes);
  // A block the host may write now. Null when there is no memory, or when so many blocks of that size wait for the stream that it is
  // better to wait for it too.
  Block* take_idle(size_t bytes);
  void put(Block* block);

  // Gives every cached block that the stream has done with back to the system. Any thread.
  void trim();
  // The same of those that no command has been given since the last call of this. One thread.
  void trim_unused();

  // Bytes taken from the system and not given back.
  size_t reserved() const;

  static constexpr size_t kAlignment = kMemoryAlignment;
  // What may lie idle beside a quarter of the most bytes in use lately.
  static constexpr size_t kSlack = size_t{64} << 20;

  static int class_of(size_t bytes);
  static size_t class_bytes(int size_class);

 private:
  struct List {
    Block* newest = nullptr;
    Block* oldest = nullptr;
    size_t bytes = 0;
  };
  // Eight classes to a power of two, up to 2^48 bytes: a block is at most 1/8 larger than asked for.
  static constexpr int kClasses = 8 * 48;

  Block* fresh(size_t bytes);
  Block* use(Block* block);
  Block* unlink(Block* block);
  template <class Choose>
  void release(const Choose& choose);
  Block* oldest_idle();
  bool idle(const Block& block) const { return block.last_use <= completed_.load(std::memory_order_acquire); }

  const std::atomic<uint64_t>& completed_;
  const bool exact_;
  mutable std::mutex mutex_;  // the environment's thread takes and puts; the stream's trims
  List lists_[kClasses];
  size_t reserved_ = 0;
  size_t in_use_ = 0;
  size_t peak_in_use_ = 0;         // since the last trim, or what that left
  uint64_t completed_before_ = 0;  // at the last trim_unused
};

}  // namespace receptive
