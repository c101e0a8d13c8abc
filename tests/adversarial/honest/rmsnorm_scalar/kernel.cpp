// Scalar: two loops over a row, one thread.
#include "task.h"

#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* /*pool*/) {
  const std::int64_t hidden = args->hidden;
  for (std::int64_t row = 0; row < args->rows; ++row) {
    const float* x = args->x + row * args->x_stride;
    float* y = args->y + row * args->y_stride;
    float squares = 0;
    for (std::int64_t i = 0; i < hidden; ++i) squares += x[i] * x[i];
    const float mean = squares / static_cast<float>(hidden);
    const float scale = 1.0F / std::sqrt(mean + static_cast<float>(args->eps));
    for (std::int64_t i = 0; i < hidden; ++i) y[i] = x[i] * scale * args->weight[i];
  }
}
