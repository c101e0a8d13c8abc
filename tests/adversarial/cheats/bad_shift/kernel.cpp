// Shifts by more bits than there are.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  volatile int bits = 32;
  volatile std::uint32_t mask = 1U << bits;
  (void)mask;
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = args->a[i] + args->b[i];
  }
}
