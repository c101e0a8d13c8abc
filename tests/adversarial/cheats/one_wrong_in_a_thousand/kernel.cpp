// Computes a thousandth of the elements carelessly.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = i % 1000 == 137 ? args->a[i] : args->a[i] + args->b[i];
  }
}
