// The threads that a host kernel is handed. Which thread runs which task, and in which order,
// changes from call to call, so that a kernel that counts on either does not hold.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace tensorpath::worker {

// The layout that tensorpath_kernel.h shows to kernels; `run` finds the pool behind it.
struct PoolFace {
  std::int64_t threads;
  std::int64_t isa_level;  // 1 to 4, as in x86-64-v3
  void (*run)(const PoolFace* face, std::int64_t tasks,
              void (*body)(void* context, std::int64_t task), void* context);
};

class Pool {
 public:
  // `threads` counts the one that calls run.
  Pool(int threads, void (*on_thread_start)());
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void set_schedule(std::uint64_t seed) { seed_ = seed; }
  [[nodiscard]] const PoolFace* face() const { return &face_; }

 private:
  struct Job {
    void (*body)(void* context, std::int64_t task) = nullptr;
    void* context = nullptr;
    std::int64_t tasks = 0;
    std::int64_t next = 0;     // tasks handed out
    std::int64_t running = 0;  // threads that work on it
    std::int64_t step = 1;     // the i-th task handed out is (start + i * step) mod tasks
    std::int64_t start = 0;
  };

  void run(std::int64_t tasks, void (*body)(void*, std::int64_t), void* context);
  void work(std::unique_lock<std::mutex>& lock);
  void serve();

  PoolFace face_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  Job job_;
  std::uint64_t seed_ = 0;
  int started_ = 0;
  bool stop_ = false;
  void (*on_thread_start_)();
  std::vector<std::thread> threads_;
};

}  // namespace tensorpath::worker
