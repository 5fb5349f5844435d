#include "stream.h"

#include <cstring>
#include <exception>
#include <new>
#include <utility>

#include "cpu.h"
#include "pool.h"
#include "spin.h"

namespace receptive {

struct Stream::Read {
  void* destination;
  const Block* source;
  size_t bytes;
  Done done;
  void* data;
};

struct Stream::Sync {
  Stream* stream;
  Done done;
  void* data;
};

Stream::Stream(Idle idle, Milliseconds pause, Milliseconds rest)
    : idle_(std::move(idle)), pause_(pause), rest_(rest), told_(std::chrono::steady_clock::now() - rest) {}

uint64_t Stream::record(const Command& command, const Uses& uses, std::shared_ptr<Kept> kept) {
  const uint64_t number = recorded() + 1;
  if (number - known_completed_ > kCapacity) {
    known_completed_ = completed();
    if (number - known_completed_ > kCapacity) {
      wait(number - kCapacity + kCapacity / 4);  // a quarter at once: not a switch of threads for every command
      known_completed_ = completed();
    }
  }
  if (!thread_.joinable()) {
    ring_.reset(new Recorded[kCapacity]);
    thread_ = std::thread([this] { work(); });
  }
  Recorded& slot = ring_[number % kCapacity];
  slot.command = command;
  slot.uses = uses;
  slot.kept = std::move(kept);
  // Sequentially consistent with parked_ in await_command: either that thread sees the command, or this one sees it asleep.
  recorded_.store(number);
  if (parked_.load()) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      parked_.store(false);
    }
    wake_.notify_one();
  }
  return number;
}

uint64_t Stream::read(void* destination, const Block& source, size_t bytes, Done done, void* data) {
  const auto copy = [](const Read& read, Context&) {
    if (read.bytes > 0) std::memcpy(read.destination, read.source->data, read.bytes);
    read.done(read.data, tell(read.source->failure));
  };
  return record(Command::of<Read>(copy, Read{destination, &source, bytes, done, data}));
}

uint64_t Stream::sync(Done done, void* data) {
  const auto report = [](const Sync& sync, Context&) { sync.done(sync.data, tell(std::exchange(sync.stream->failure_, nullptr))); };
  return record(Command::of<Sync>(report, Sync{this, done, data}));
}

void Stream::wait(uint64_t number) {
  const auto reached = [&] { return completed_.load() >= number; };
  if (spin(reached)) return;
  std::unique_lock<std::mutex> lock(mutex_);
  awaited_.store(number);
  reached_.wait(lock, reached);
  awaited_.store(UINT64_MAX);
}

void Stream::stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_.store(true);
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

// Until there is news.
template <class News>
void Stream::sleep(const News& news) {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto tell = [&](bool rested) {
    lock.unlock();
    context_.trim();
    idle_(rested);
    lock.lock();
  };
  if (wake_.wait_for(lock, pause_, news)) return;
  if (const auto now = std::chrono::steady_clock::now(); now - told_ >= rest_) {
    told_ = now;
    tell(false);
  }
  if (wake_.wait_for(lock, rest_, news)) return;
  tell(true);
  wake_.wait(lock, news);
}

// False when it is time to stop.
bool Stream::await_command(uint64_t done) {
  const auto news = [&] { return stopping_.load() || recorded_.load() != done; };
  if (!spin(news)) {
    // parked_ is set before each look for news, not only the first: a wake-up for a command that this thread had found by itself may come
    // late, and has cleared it.
    const auto woken = [&] {
      parked_.store(true);
      return news();
    };
    sleep(woken);
    parked_.store(false);
  }
  return !stopping_.load();
}

void Stream::work() {
  flush_denormals();
  bool lowered = false;
  for (uint64_t done = 0; await_command(done);) {
    ++done;
    Pool::shared().lower_if_asked(&lowered);
    run(ring_[done % kCapacity], done);
    completed_.store(done);
    if (done >= awaited_.load()) {
      { const std::lock_guard<std::mutex> lock(mutex_); }
      reached_.notify_one();
    }
  }
}

// False where it was interrupted.
bool Stream::execute(const Command& command, Kept* kept) {
  try {
    context_.begin(kept, false);
    command.run(context_);
    return true;
  } catch (const std::bad_alloc&) {
    context_.fail("not enough memory for the scratch space of an operation");
  } catch (const std::exception& error) {
    context_.fail("%s", error.what());
  } catch (...) {
    context_.fail("an operation threw something that is no exception");
  }
  return false;
}

void Stream::run(Recorded& recorded, uint64_t number) {
  const std::shared_ptr<Kept> kept = std::move(recorded.kept);
  const Uses& uses = recorded.uses;
  std::shared_ptr<Failure> failure;
  for (int i = 0; i < uses.count && failure == nullptr; ++i) {
    if (!uses.is_result(i)) failure = uses.blocks[i]->failure;
  }
  bool leaves_out = failure != nullptr && uses.updated != 0;
  uint32_t marked = uses.changed;
  if (!leaves_out) {
    const bool ended = execute(recorded.command, kept.get());
    if (!ended) context_.forget_kept();
    const std::string own = context_.take_failure();
    if (!own.empty()) {
      failure = std::make_shared<Failure>(own);
      if (failure_ == nullptr && !context_.abandoned()) failure_ = failure;
      leaves_out = !ended && uses.updated != 0;  // scratch, which is what throws, is had before anything that outlives a batch is written
      if (!leaves_out) marked |= uses.updated;
      if (!leaves_out && (uses.results | marked) == 0) marked = ~0u;
    }
  }
  if (leaves_out) leaves_out_.store(true);
  for (int i = 0; i < uses.count; ++i) {
    Block& block = *uses.blocks[i];
    if (uses.is_result(i) || (failure != nullptr && ((marked >> i) & 1u) != 0)) block.failure = failure;
    if (!leaves_out_.load(std::memory_order_relaxed)) continue;
    if (uses.is_result(i)) forget_left_out(block);
    if (!leaves_out || !uses.is_updated(i)) continue;
    const std::lock_guard<std::mutex> lock(left_out_mutex_);
    if (number > block.since.load() && (block.left_out == nullptr || block.left_out->told.load())) block.left_out = failure;
  }
}

std::string Stream::left_out(const Uses& uses) {
  if (!leaves_out_.load(std::memory_order_relaxed)) return "";
  const std::lock_guard<std::mutex> lock(left_out_mutex_);
  for (int i = 0; i < uses.count; ++i) {
    if (!uses.is_updated(i)) continue;
    const std::shared_ptr<Failure> failure = std::exchange(uses.blocks[i]->left_out, nullptr);
    if (failure != nullptr && !failure->told.load()) return tell(failure);
  }
  return "";
}

void Stream::renew(Block* block) {
  block->since.store(recorded());
  if (leaves_out_.load()) forget_left_out(*block);
}

void Stream::forget_left_out(Block& block) {
  const std::lock_guard<std::mutex> lock(left_out_mutex_);
  block.left_out = nullptr;
}

}  // namespace receptive
