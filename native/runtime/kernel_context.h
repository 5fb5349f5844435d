// The Context kernels run in: the pool, a scratch arena, and the first error reported.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "context.h"

namespace receptive {

// What a command keeps between its runs; see Context::keep. Commands that make the same share one.
class Kept {
 public:
  Kept() = default;
  ~Kept();
  Kept(const Kept&) = delete;
  Kept& operator=(const Kept&) = delete;

  // Any thread.
  size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  friend class KernelContext;
  void clear();
  // The stream's thread's.
  struct Block {
    size_t index;  // of the call that asked for it in its command
    size_t bytes;
    void* data;
  };
  std::vector<Block> blocks_;
  std::atomic<size_t> bytes_{0};
};

class KernelContext final : public Context {
 public:
  KernelContext();
  ~KernelContext() override;
  KernelContext(const KernelContext&) = delete;
  KernelContext& operator=(const KernelContext&) = delete;

  // Before each command: all scratch is free again, and the number of threads is that of the pool now. kept: the command's, where it runs
  // again on constant operands that are still what they were; else null. always: they are for good.
  void begin(Kept* kept = nullptr, bool always = true);

  // The command that ran last threw: what it was to keep may not all be there.
  void forget_kept();

  // Between commands: gives the scratch memory back to the system.
  void trim();

  // Bytes of scratch memory taken from the system and not given back. Any thread.
  size_t reserved() const { return reserved_.load(std::memory_order_relaxed); }

  // Fails without its being a fault: whoever waits for the results is told, a sync is not.
  void abandon(const char* message);
  // Whether the command that ran last was abandoned.
  bool abandoned() const { return abandoned_; }
  // Whether fail() or abandon() was called since the last take_failure().
  bool failed();

  // The first message given to fail() since the last call, or "".
  std::string take_failure();

  int threads() const noexcept override { return threads_; }
  void* scratch(size_t bytes) override;
  void* keep(size_t bytes, bool* made) override;
  bool keeps() const noexcept override { return kept_ != nullptr; }
  bool always_keeps() const noexcept override { return kept_ != nullptr && always_keeps_; }
#if defined(__GNUC__)
  __attribute__((format(printf, 2, 3)))
#endif
  void
  fail(const char* format, ...) noexcept override;

 protected:
  void run(int64_t chunks, Chunk chunk, const void* body) noexcept override;

 private:
  struct Block {
    unsigned char* data;
    size_t bytes;
    size_t used;
  };
  bool add_block(size_t bytes);

  // Blocks grow geometrically; when a command needed more than one they are replaced by a single one of the bytes it used, so a steady
  // workload allocates nothing.
  std::vector<Block> blocks_;
  std::atomic<size_t> reserved_{0};
  int threads_ = 1;
  Kept* kept_ = nullptr;
  bool always_keeps_ = false;
  size_t next_kept_ = 0;
  bool abandoned_ = false;
  std::mutex mutex_;        // guards failure_
  char failure_[400] = "";  // in place: fail() must not want memory
};

}  // namespace receptive
