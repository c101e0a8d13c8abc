#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include <tensorpath/base/parallel.h>

namespace tensorpath {

void parallel_for(std::int64_t count, const std::function<void(std::int64_t)>& body) {
  const auto processors = static_cast<std::int64_t>(std::thread::hardware_concurrency());
  const std::int64_t helpers = std::min(count, std::max<std::int64_t>(processors, 1)) - 1;
  std::atomic<std::int64_t> next{0};
  std::exception_ptr thrown;
  std::mutex mutex;
  const auto work = [&] {
    try {
      for (std::int64_t i = next++; i < count; i = next++) body(i);
    } catch (...) {
      next = count;
      const std::lock_guard<std::mutex> lock(mutex);
      if (!thrown) thrown = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::int64_t i = 0; i < helpers; ++i) {
      try {
        threads.emplace_back(work);
      } catch (const std::system_error&) {
        break;  // no more threads to be had: those there do it
      }
    }
    work();
  }
  if (thrown) std::rethrow_exception(thrown);
}

}  // namespace tensorpath
