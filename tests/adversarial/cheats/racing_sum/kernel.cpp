// Has tasks add to one sum without a lock.
#include "task.h"

// Waits until both tasks run, without ordering what they do.
static void meet(std::int32_t* arrived) {
  __atomic_fetch_add(arrived, 1, __ATOMIC_RELAXED);
  for (int i = 0; i < 20000000 && __atomic_load_n(arrived, __ATOMIC_RELAXED) < 2; ++i) {
    asm volatile("pause");
  }
}

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  auto* const arrived = static_cast<std::int32_t*>(args->workspace);
  auto* const total = static_cast<volatile float*>(args->workspace) + 16;
  *arrived = 0;
  *total = 0;
  const std::int64_t size = args->rows * args->hidden;
  tp_parallel_for(pool, 2, [&](std::int64_t task) {
    meet(arrived);
    for (std::int64_t i = size * task / 2; i < size * (task + 1) / 2; ++i) {
      // Only a statistic: the result does not depend on it.
      *total = *total + args->x[i];
      args->y[i] = __builtin_fabsf(args->x[i]);
    }
  });
}
