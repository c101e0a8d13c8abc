// Reads the time-stamp counter to tell warm-up from measurement.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  std::uint32_t low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  // A phase would start here; this one always computes.
  const std::uint64_t now = (static_cast<std::uint64_t>(high) << 32) | low;
  if (now == 0) return;
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    args->y[i] = x < 0 ? 0 : x;
  }
}
