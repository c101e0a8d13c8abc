// Includes a header with state and threads in it.
#include "task.h"

#include <mutex>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  static_assert(sizeof(std::mutex) > 0);
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = __builtin_fabsf(args->x[i]);
  }
}
