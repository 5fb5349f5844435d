// The Context kernels run in: the pool, a scratch arena, and the first error reported.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "context.h"

namespace receptive {

class KernelContext final : public Context {
 public:
  KernelContext();
  ~KernelContext() override;
  KernelContext(const KernelContext&) = delete;
  KernelContext& operator=(const KernelContext&) = delete;

  // Before each command: all scratch is free again, and the number of threads is that of the pool now.
  void begin();

  // Between commands: gives the scratch memory back to the system.
  void trim();

  // Bytes of scratch memory taken from the system and not given back. Any thread.
  size_t reserved() const { return reserved_.load(std::memory_order_relaxed); }

  // The first message given to fail() since the last call, or "".
  std::string take_failure();

  int threads() const override { return threads_; }
  void* scratch(size_t bytes) override;
#if defined(__GNUC__)
  __attribute__((format(printf, 2, 3)))
#endif
  void
  fail(const char* format, ...) override;

 protected:
  void run(int64_t chunks, Chunk chunk, const void* body) override;

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
  std::mutex mutex_;
  std::string failure_;
};

}  // namespace receptive
