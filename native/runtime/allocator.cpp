#include "allocator.h"

#include <algorithm>
#include <new>
#include <utility>

#include "system_memory.h"

namespace receptive {

namespace {

constexpr int kSteps = 8;  // classes to a power of two

void destroy(Block* block) {
  system_release(block->data, block->bytes);
  delete block;
}

}  // namespace

// Class 8 (e - 9) + s holds (8 + s) 2^(e-3) bytes. Below 512 bytes a step is 64 bytes and the classes are the multiples of 64.
int Allocator::class_of(size_t bytes) {
  if (bytes <= kSteps * kAlignment) return bytes == 0 ? 0 : static_cast<int>((bytes - 1) / kAlignment);
  int shift = 6;  // of the step: 2^shift * 8 <= bytes - 1 < 2^shift * 16
  while (((bytes - 1) >> shift) >= 2 * kSteps) ++shift;
  return kSteps * (shift - 6) + static_cast<int>((bytes - 1) >> shift);
}

size_t Allocator::class_bytes(int size_class) {
  if (size_class < kSteps) return static_cast<size_t>(size_class + 1) * kAlignment;
  const int shift = size_class / kSteps + 5;
  return static_cast<size_t>(kSteps + size_class % kSteps + 1) << shift;
}

template <class Choose>
void Allocator::release(const Choose& choose) {
  Block* released = nullptr;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (List& list : lists_) {
      for (Block *block = list.oldest, *newer; block != nullptr; block = newer) {
        newer = block->newer;
        if (!choose(*block)) continue;
        reserved_ -= block->bytes;
        unlink(block)->older = released;
        released = block;
      }
    }
    peak_in_use_ = std::min(peak_in_use_, reserved_);
  }
  // Outside the lock: unmapping a gigabyte takes longer than the environment's thread should wait.
  if (released == nullptr) return;
  while (released != nullptr) {
    Block* const block = released;
    released = block->older;
    destroy(block);
  }
  system_trim();
}

Allocator::~Allocator() {
  release([](const Block&) { return true; });
}

void Allocator::trim() {
  release([this](const Block& block) { return idle(block); });
}

void Allocator::trim_unused() {
  const uint64_t before = std::exchange(completed_before_, completed_.load(std::memory_order_acquire));
  release([before](const Block& block) { return block.last_use <= before; });
}

Block* Allocator::take(size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Block* const cached = lists_[class_of(bytes)].newest;  // the one most likely to be in the processor's cache
  return use(cached != nullptr && !exact_ ? unlink(cached) : fresh(bytes));
}

Block* Allocator::take_idle(size_t bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const List& list = lists_[class_of(bytes)];
  if (list.oldest != nullptr && idle(*list.oldest)) return use(exact_ ? fresh(bytes) : unlink(list.oldest));
  return list.bytes > kSlack ? nullptr : use(fresh(bytes));
}

void Allocator::put(Block* block) {
  const std::lock_guard<std::mutex> lock(mutex_);
  List& list = lists_[class_of(block->bytes)];
  block->newer = nullptr;
  block->older = list.newest;
  (list.newest != nullptr ? list.newest->newer : list.oldest) = block;
  list.newest = block;
  list.bytes += block->bytes;
  in_use_ -= block->bytes;
}

Block* Allocator::use(Block* block) {
  if (block == nullptr) return nullptr;
  in_use_ += block->bytes;
  peak_in_use_ = std::max(peak_in_use_, in_use_);
  return block;
}

Block* Allocator::unlink(Block* block) {
  List& list = lists_[class_of(block->bytes)];
  (block->newer != nullptr ? block->newer->older : list.newest) = block->older;
  (block->older != nullptr ? block->older->newer : list.oldest) = block->newer;
  block->newer = block->older = nullptr;
  list.bytes -= block->bytes;
  return block;
}

Block* Allocator::fresh(size_t bytes) {
  const size_t size = exact_ ? std::max(bytes, size_t{1}) : class_bytes(class_of(bytes));
  const size_t limit = exact_ ? 0 : std::max(peak_in_use_, in_use_ + size) / 4 * 5 + kSlack;
  const auto evict = [this] {
    Block* const victim = oldest_idle();
    if (victim == nullptr) return false;
    reserved_ -= victim->bytes;
    destroy(unlink(victim));
    return true;
  };
  while (reserved_ + size > limit && evict()) continue;
  void* data = system_allocate(size);
  while (data == nullptr && evict()) data = system_allocate(size);
  Block* const block = data != nullptr ? new (std::nothrow) Block{data, size} : nullptr;
  if (block == nullptr) {
    if (data != nullptr) system_release(data, size);
    return nullptr;
  }
  reserved_ += size;
  return block;
}

// Of the cached blocks the stream has done with, the one used longest ago.
Block* Allocator::oldest_idle() {
  Block* oldest = nullptr;
  for (const List& list : lists_) {
    Block* block = list.oldest;
    if (block != nullptr && idle(*block) && (oldest == nullptr || block->last_use < oldest->last_use)) oldest = block;
  }
  return oldest;
}

size_t Allocator::reserved() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return reserved_;
}

}  // namespace receptive
