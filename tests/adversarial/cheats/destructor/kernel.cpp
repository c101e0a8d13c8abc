// Runs code when the worker ends.
#include "task.h"

__attribute__((destructor)) static void after_all() { asm volatile("" : : : "memory"); }

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = __builtin_fabsf(args->x[i]);
  }
}
