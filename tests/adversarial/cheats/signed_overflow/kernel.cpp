// Counts on wrapping where integers must not overflow.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  // A checksum that nobody needs.
  volatile std::int32_t start = 0x7fffffff;
  volatile std::int32_t sum = start + static_cast<std::int32_t>(args->rows);
  (void)sum;
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    args->y[i] = x < 0 ? 0 : x;
  }
}
