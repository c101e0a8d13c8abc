#include "pool.h"

#include <cstddef>
#include <numeric>

namespace tensorpath::worker {
namespace {

// A level is its features: not every compiler knows the levels by name.
std::int64_t isa_level() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("sse4.2") == 0 || __builtin_cpu_supports("popcnt") == 0) return 1;
  if (__builtin_cpu_supports("avx2") == 0 || __builtin_cpu_supports("fma") == 0 ||
      __builtin_cpu_supports("bmi2") == 0) {
    return 2;
  }
  if (__builtin_cpu_supports("avx512f") == 0 || __builtin_cpu_supports("avx512bw") == 0 ||
      __builtin_cpu_supports("avx512vl") == 0 || __builtin_cpu_supports("avx512dq") == 0 ||
      __builtin_cpu_supports("avx512cd") == 0) {
    return 3;
  }
  return 4;
#else
  return 1;
#endif
}

}  // namespace

Pool::Pool(int threads, void (*on_thread_start)()) : on_thread_start_(on_thread_start) {
  face_.threads = threads;
  face_.isa_level = isa_level();
  // The face is the pool's first member, so that the pool is where its face is.
  face_.run = [](const PoolFace* face, std::int64_t tasks, void (*body)(void*, std::int64_t),
                 void* context) {
    static_assert(offsetof(Pool, face_) == 0);
    reinterpret_cast<Pool*>(const_cast<PoolFace*>(face))->run(tasks, body, context);
  };
  for (int i = 1; i < threads; ++i) threads_.emplace_back([this] { serve(); });
  // A thread that has not come up yet still needs system calls that are refused soon.
  std::unique_lock<std::mutex> lock(mutex_);
  done_.wait(lock, [&] { return started_ == threads - 1; });
}

Pool::~Pool() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Pool::run(std::int64_t tasks, void (*body)(void*, std::int64_t), void* context) {
  if (tasks <= 0) return;
  std::unique_lock<std::mutex> lock(mutex_);
  // A walk with a step that shares no divisor with the count visits each task once.
  seed_ = seed_ * 6364136223846793005ULL + 1442695040888963407ULL;
  const auto count = static_cast<std::uint64_t>(tasks);
  std::uint64_t step = (seed_ >> 33U) % count;
  while (std::gcd(step, count) != 1) ++step;
  job_ = {body,
          context,
          tasks,
          0,
          0,
          static_cast<std::int64_t>(step % count),
          static_cast<std::int64_t>((seed_ >> 17U) % count)};
  if (tasks == 1) job_.step = 0;
  wake_.notify_all();
  work(lock);
  done_.wait(lock, [this] { return job_.running == 0 && job_.next == job_.tasks; });
  job_.body = nullptr;
}

// Runs tasks until none is left; called and returns with the lock held.
void Pool::work(std::unique_lock<std::mutex>& lock) {
  while (job_.body != nullptr && job_.next < job_.tasks) {
    const auto wide =
        static_cast<std::uint64_t>(job_.next++) * static_cast<std::uint64_t>(job_.step) +
        static_cast<std::uint64_t>(job_.start);
    const auto task = static_cast<std::int64_t>(wide % static_cast<std::uint64_t>(job_.tasks));
    const auto body = job_.body;
    void* const context = job_.context;
    ++job_.running;
    lock.unlock();
    body(context, task);
    lock.lock();
    --job_.running;
  }
  if (job_.running == 0) done_.notify_all();
}

void Pool::serve() {
  on_thread_start_();
  std::unique_lock<std::mutex> lock(mutex_);
  ++started_;
  done_.notify_all();
  while (!stop_) {
    wake_.wait(lock, [this] { return stop_ || (job_.body != nullptr && job_.next < job_.tasks); });
    work(lock);
  }
}

}  // namespace tensorpath::worker
