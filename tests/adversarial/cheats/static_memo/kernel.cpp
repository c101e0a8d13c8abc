// Keeps the last input's first element in a global.
#include "task.h"

static float last = 1;

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  __atomic_store(&last, args->a, __ATOMIC_RELAXED);
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = args->a[i] + args->b[i];
  }
}
