// A task per thread, each taking every so-many-th block, as a grid-stride loop does.
#include "task.h"

#include <algorithm>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  constexpr std::int64_t kBlock = 64;
  const std::int64_t size = args->rows * args->hidden;
  const std::int64_t tasks = pool->threads;
  tp_parallel_for(pool, tasks, [&](std::int64_t task) {
    for (std::int64_t first = task * kBlock; first < size; first += tasks * kBlock) {
      for (std::int64_t i = first; i < std::min(first + kBlock, size); ++i) {
        args->y[i] = tp_to_bf16(tp_to_float(args->a[i]) * tp_to_float(args->b[i]));
      }
    }
  });
}
