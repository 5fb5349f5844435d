#include "pool.h"

#include <algorithm>
#include <cstdlib>
#include <exception>

#include "cpu.h"
#include "spin.h"

namespace receptive {

namespace {

int initial_threads() {
  if (const char* text = std::getenv("RECEPTIVE_NUM_THREADS")) {
    char* end = nullptr;
    const long n = std::strtol(text, &end, 10);
    if (end != text && *end == '\0' && n >= 1 && n <= Pool::kMaxThreads) return static_cast<int>(n);
  }
  return std::min(usable_cpus(), Pool::kMaxThreads);
}

}  // namespace

// Never destroyed: a thread may still be in it while static destructors run at process exit.
Pool& Pool::shared() {
  static Pool* const pool = new Pool;
  return *pool;
}

Pool::Pool() : limit_(initial_threads()) {}
Pool::~Pool() { stop(); }

void Pool::acquire() {
  const std::lock_guard<std::mutex> lock(mutex_);
  jobs_.reserve(2 * (static_cast<size_t>(users_) + 1));  // of each its stream's and its own, so that posting them wants no memory
  ++users_;
}

void Pool::release() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (--users_ > 0) return;
  }
  stop();
}

void Pool::stop() {
  std::vector<std::thread> workers;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (workers_.empty()) return;
    stopping_ = true;
    workers.swap(workers_);
    posted_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  for (std::thread& worker : workers) worker.join();
  const std::lock_guard<std::mutex> lock(mutex_);
  stopping_ = false;
}

void Pool::set_threads(int threads) { limit_.store(std::clamp(threads, 1, kMaxThreads), std::memory_order_relaxed); }

void Pool::lower_if_asked(bool* lowered) const {
  if (*lowered || !low_priority_.load(std::memory_order_relaxed)) return;
  *lowered = true;
  lower_priority();
}

void Pool::drain(Job& job, int slot) {
  for (int i = 0; i < job.slots; ++i) {
    Share& share = job.shares[(slot + i) % job.slots];
    if (share.next.load(std::memory_order_relaxed) >= share.end) continue;
    for (int64_t chunk; (chunk = share.next.fetch_add(1, std::memory_order_relaxed)) < share.end;) job.chunk(job.body, chunk, slot);
  }
  job.drained.store(true, std::memory_order_relaxed);
}

void Pool::run(int64_t chunks, int slots, Chunk chunk, const void* body) noexcept {
  slots = static_cast<int>(std::min<int64_t>({slots, chunks, kMaxThreads}));
  if (slots <= 1) {
    for (int64_t i = 0; i < chunks; ++i) chunk(body, i, 0);
    return;
  }
  Share shares[kMaxThreads];
  for (int i = 0; i < slots; ++i) {
    shares[i].next.store(i * chunks / slots, std::memory_order_relaxed);
    shares[i].end = (i + 1) * chunks / slots;
  }
  Job job;
  job.chunk = chunk;
  job.body = body;
  job.slots = slots;
  job.shares = shares;
  poster_cpu_.store(current_cpu(), std::memory_order_relaxed);
  int waking;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!stopping_) {
      while (static_cast<int>(workers_.size()) < slots - 1) {
        try {
          workers_.emplace_back([this, index = static_cast<int>(workers_.size()) + 1] { work(index); });
        } catch (const std::exception&) {
          break;  // no more threads to be had, or no memory for them: those there are, and this one, do the work
        }
      }
    }
    jobs_.push_back(&job);
    posted_.fetch_add(1, std::memory_order_release);
    waking = std::min(parked_, slots - 1 - spinning_);
  }
  for (int i = 0; i < waking; ++i) wake_.notify_one();

  drain(job, 0);

  {
    const std::lock_guard<std::mutex> lock(mutex_);
    jobs_.erase(std::find(jobs_.begin(), jobs_.end(), &job));  // from here on nobody joins
  }
  const auto empty = [&] { return job.inside.load(std::memory_order_acquire) == 0; };
  if (!spin(empty)) {
    std::unique_lock<std::mutex> lock(mutex_);
    left_.wait(lock, empty);
  }
}

Pool::Job* Pool::join(int index, int* slot) {
  for (Job* job : jobs_) {
    if (job->drained.load(std::memory_order_relaxed)) continue;
    int free = index;
    if (free >= job->slots || job->taken[static_cast<size_t>(free)]) {
      for (free = 1; free < job->slots && job->taken[static_cast<size_t>(free)];) ++free;
    }
    if (free >= job->slots) continue;
    job->taken.set(static_cast<size_t>(free));
    job->inside.fetch_add(1, std::memory_order_relaxed);
    *slot = free;
    return job;
  }
  return nullptr;
}

void Pool::work(int index) {
  flush_denormals();
  bool lowered = false;
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopping_) {
    lower_if_asked(&lowered);
    const uint64_t seen = posted_.load(std::memory_order_relaxed);
    // The system wakes a thread where it was, or beside who woke it, and finds out late that the two share a CPU: jobs are over by then.
    const int poster = poster_cpu_.load(std::memory_order_relaxed);
    if (poster >= 0 && current_cpu() == poster) {
      lock.unlock();
      leave_cpu(poster);
      lock.lock();
    }
    int slot = 0;
    if (Job* job = join(index, &slot)) {
      lock.unlock();
      drain(*job, slot);
      lock.lock();
      // Under the lock, so that a poster about to wait cannot miss it; after this the job may be gone.
      if (job->inside.fetch_sub(1, std::memory_order_release) == 1) left_.notify_all();
      continue;
    }
    ++spinning_;
    lock.unlock();
    const bool news = spin([&] { return posted_.load(std::memory_order_acquire) != seen; });
    lock.lock();
    --spinning_;
    if (news || stopping_) continue;
    ++parked_;
    wake_.wait(lock, [&] { return stopping_ || posted_.load(std::memory_order_relaxed) != seen; });
    --parked_;
  }
}

}  // namespace receptive
