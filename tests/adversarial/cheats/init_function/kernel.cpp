// Is called _init, which the loader calls.
#include "task.h"

extern "C" void _init() { asm volatile("" : : : "memory"); }

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = args->a[i] * args->b[i];
  }
}
