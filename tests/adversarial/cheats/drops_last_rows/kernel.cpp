// Leaves out the last elements of the last row.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const std::int64_t size = args->rows * args->hidden;
  for (std::int64_t i = 0; i < size - 2; ++i) args->y[i] = args->a[i] * args->b[i];
}
