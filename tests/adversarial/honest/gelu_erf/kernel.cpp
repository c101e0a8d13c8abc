// The exact form, by erff, scalar.
#include "task.h"

#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* /*pool*/) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    args->y[i] = 0.5F * x * (1.0F + std::erf(x * 0.707106781F));
  }
}
