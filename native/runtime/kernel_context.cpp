#include "kernel_context.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <new>

#include "pool.h"
#include "system_memory.h"

namespace receptive {

namespace {
constexpr size_t kFirstBlock = size_t{1} << 16;

unsigned char* allocate(size_t bytes) {
  void* const data = system_allocate(bytes);
  if (data == nullptr) throw std::bad_alloc();
  return static_cast<unsigned char*>(data);
}
}  // namespace

KernelContext::KernelContext() : threads_(Pool::shared().threads()) {}

KernelContext::~KernelContext() { trim(); }

void KernelContext::trim() {
  for (const Block& block : blocks_) system_release(block.data, block.bytes);
  blocks_.clear();
}

void KernelContext::begin() {
  threads_ = Pool::shared().threads();
  used_ = 0;
  if (blocks_.size() < 2) return;
  size_t total = 0;
  for (const Block& block : blocks_) total += block.bytes;
  trim();
  blocks_.push_back({allocate(total), total});
}

void* KernelContext::scratch(size_t bytes) {
  bytes = (bytes + kMemoryAlignment - 1) / kMemoryAlignment * kMemoryAlignment;
  if (blocks_.empty() || used_ + bytes > blocks_.back().bytes) {
    const size_t size = std::max({bytes, kFirstBlock, blocks_.empty() ? 0 : blocks_.back().bytes * 2});
    blocks_.reserve(blocks_.size() + 1);
    blocks_.push_back({allocate(size), size});
    used_ = 0;
  }
  void* data = blocks_.back().data + used_;
  used_ += bytes;
  return data;
}

void KernelContext::fail(const char* format, ...) {
  char message[400];
  va_list args;
  va_start(args, format);
  std::vsnprintf(message, sizeof message, format, args);
  va_end(args);
  const std::lock_guard<std::mutex> lock(mutex_);
  if (failure_.empty()) failure_ = message;
}

std::string KernelContext::take_failure() {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::string message;
  message.swap(failure_);
  return message;
}

void KernelContext::run(int64_t chunks, Chunk chunk, const void* body) { Pool::shared().run(chunks, threads_, chunk, body); }

}  // namespace receptive
