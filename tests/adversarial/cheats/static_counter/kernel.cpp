// Counts its calls in a global.
#include "task.h"

static volatile std::int64_t calls = 0;

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  calls = calls + 1;
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    args->y[i] = x < 0 ? 0 : x;
  }
}
