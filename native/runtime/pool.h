// The thread pool: one for the process, shared by every environment's stream.
//
// A stream thread that runs a kernel posts a job (a function and a number of chunks), works on it itself as slot 0, and idle workers
// join it. Each slot has a share of consecutive chunks, so that a thread finds in its caches what it wrote in the kernel before, and takes
// chunks of other shares when its own is empty: a late or descheduled worker costs nothing but its own chunk. Workers spin for some tens
// of microseconds after a job (the next kernel is usually that close), then park: an idle process uses no CPU.
#pragma once

#include <atomic>
#include <bitset>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace receptive {

class Pool {
 public:
  using Chunk = void (*)(const void* body, int64_t chunk, int slot);

  static Pool& shared();

  // Each environment holds the pool while it lives; the last to let go joins the workers, so that none runs code of an addon that is
  // being unloaded. Workers start again when needed.
  void acquire();
  void release();

  // Threads a job may use, the posting one included: RECEPTIVE_NUM_THREADS, or the CPUs this process may use.
  int threads() const { return limit_.load(std::memory_order_relaxed); }
  // 1 to kMaxThreads. Holds for jobs posted from now on.
  void set_threads(int threads);

  // From now on threads that run kernels let others go first: the workers, and those that run streams.
  void lower_kernel_threads() { low_priority_.store(true, std::memory_order_relaxed); }
  // Called by those threads, and no other, before they take work. *lowered is the caller's own, false at first.
  void lower_if_asked(bool* lowered) const;

  // Runs every chunk on at most `slots` threads, this one included, and returns when all are done. Threads that run streams may call
  // it at the same time; a job must not post another.
  void run(int64_t chunks, int slots, Chunk chunk, const void* body) noexcept;

  static constexpr int kMaxThreads = 256;

 private:
  struct alignas(64) Share {
    std::atomic<int64_t> next;  // set for the slots in use: all of them would cost more than many a job
    int64_t end;
  };
  struct Job {
    Chunk chunk;
    const void* body;
    int slots;
    Share* shares;                       // of the slots
    std::bitset<kMaxThreads> taken = 1;  // guarded by mutex_: slots handed out
    std::atomic<bool> drained{false};    // nothing is left to take
    std::atomic<int> inside{0};          // workers that may still touch the job
  };

  Pool();
  ~Pool();
  void work(int index);
  // Under mutex_: a job that has room, or null. A worker's slot is its index where it can be, so that it gets the same share each time.
  Job* join(int index, int* slot);
  static void drain(Job& job, int slot);
  void stop();

  std::atomic<int> limit_;
  std::atomic<bool> low_priority_{false};
  std::atomic<uint64_t> posted_{0};  // counts jobs, for spinning workers to watch
  std::atomic<int> poster_cpu_{-1};  // where the last job was posted
  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable left_;
  std::vector<Job*> jobs_;
  std::vector<std::thread> workers_;
  int spinning_ = 0;  // workers that will see the next job by themselves
  int parked_ = 0;    // workers that must be woken
  int users_ = 0;
  bool stopping_ = false;
};

}  // namespace receptive
