#include "kernel_context.h"

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <new>
#include <utility>

#include "pool.h"
#include "sanitizers.h"
#include "system_memory.h"

namespace receptive {

namespace {
constexpr size_t kFirstBlock = size_t{1} << 16;
}  // namespace

KernelContext::KernelContext() : threads_(Pool::shared().threads()) {}

KernelContext::~KernelContext() { trim(); }

void KernelContext::trim() {
  for (const Block& block : blocks_) system_release(block.data, block.bytes);
  blocks_.clear();
  reserved_.store(0, std::memory_order_relaxed);
}

Kept::~Kept() { clear(); }

void Kept::clear() {
  for (const Block& block : blocks_) system_release(block.data, block.bytes);
  blocks_.clear();
  bytes_.store(0, std::memory_order_relaxed);
}

void KernelContext::begin(Kept* kept, bool always) {
  kept_ = kept;
  always_keeps_ = always;
  next_kept_ = 0;
  abandoned_ = false;
  threads_ = Pool::shared().threads();
  size_t used = 0;
  for (Block& block : blocks_) used += std::exchange(block.used, 0);
  if (RECEPTIVE_ASAN) {
    trim();
  } else if (blocks_.size() > 1) {
    trim();
    add_block(used);  // if it cannot be had now, scratch() asks for what it needs
  }
}

bool KernelContext::add_block(size_t bytes) {
  blocks_.reserve(blocks_.size() + 1);
  void* const data = system_allocate(bytes);
  if (data == nullptr) return false;
  blocks_.push_back({static_cast<unsigned char*>(data), bytes, 0});
  reserved_.fetch_add(bytes, std::memory_order_relaxed);
  return true;
}

void* KernelContext::scratch(size_t bytes) {
  if (bytes > SIZE_MAX / 4) throw std::bad_alloc();  // so that nothing below wraps
  if (RECEPTIVE_ASAN) {
    if (!add_block(std::max(bytes, size_t{1}))) throw std::bad_alloc();
    return blocks_.back().data;
  }
  bytes = (bytes + kMemoryAlignment - 1) / kMemoryAlignment * kMemoryAlignment;
  if (blocks_.empty() || bytes > blocks_.back().bytes - blocks_.back().used) {
    const size_t roomy = std::max({bytes, kFirstBlock, blocks_.empty() ? 0 : blocks_.back().bytes * 2});
    if (!add_block(roomy) && (roomy == bytes || !add_block(bytes))) throw std::bad_alloc();
  }
  Block& block = blocks_.back();
  void* const data = block.data + block.used;
  block.used += bytes;
  return data;
}

void KernelContext::forget_kept() {
  if (kept_ != nullptr) kept_->clear();
}

// A command asks for the same in each of its runs; one that shares what it keeps may be on another shape and ask for another size.
void* KernelContext::keep(size_t bytes, bool* made) {
  *made = false;
  if (kept_ == nullptr) return scratch(bytes);
  std::vector<Kept::Block>& blocks = kept_->blocks_;
  const size_t index = next_kept_++;
  bytes = std::max(bytes, size_t{1});
  for (const Kept::Block& block : blocks) {
    if (block.index != index || block.bytes != bytes) continue;
    *made = true;
    return block.data;
  }
  blocks.reserve(blocks.size() + 1);
  void* const data = system_allocate(bytes);
  if (data == nullptr) {
    if (!always_keeps_) return scratch(bytes);  // keeping it only saves time
    throw std::bad_alloc();
  }
  blocks.push_back({index, bytes, data});
  kept_->bytes_.fetch_add(bytes, std::memory_order_relaxed);
  return data;
}

void KernelContext::fail(const char* format, ...) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (failure_[0] != '\0') return;
  va_list args;
  va_start(args, format);
  std::vsnprintf(failure_, sizeof failure_, format, args);
  va_end(args);
}

void KernelContext::abandon(const char* message) {
  abandoned_ = true;
  fail("%s", message);
}

bool KernelContext::failed() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return failure_[0] != '\0';
}

std::string KernelContext::take_failure() {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::string message = failure_;
  failure_[0] = '\0';
  return message;
}

void KernelContext::run(int64_t chunks, Chunk chunk, const void* body) noexcept { Pool::shared().run(chunks, threads_, chunk, body); }

}  // namespace receptive
