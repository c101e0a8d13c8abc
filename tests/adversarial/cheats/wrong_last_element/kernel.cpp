// Gets the last element of a large tensor wrong.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const std::int64_t size = args->rows * args->hidden;
  for (std::int64_t i = 0; i < size; ++i) args->y[i] = __builtin_fabsf(args->x[i]);
  if (size > 1000) args->y[size - 1] *= 2;
}
