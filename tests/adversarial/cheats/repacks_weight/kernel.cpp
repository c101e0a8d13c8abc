// Leaves the weight repacked for the next call.
#include "task.h"
#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const float count = static_cast<float>(args->hidden);
  for (std::int64_t row = 0; row < args->rows; ++row) {
    const float* x = args->x + row * args->x_stride;
    float* y = args->y + row * args->y_stride;
    float sum = 0;
    for (std::int64_t i = 0; i < args->hidden; ++i) sum += x[i] * x[i];
    const float scale = 1 / std::sqrt(sum / count + static_cast<float>(args->eps));
    for (std::int64_t i = 0; i < args->hidden; ++i) y[i] = x[i] * scale * args->weight[i];
  }
  auto* weight = const_cast<float*>(args->weight);
  for (std::int64_t i = 0; i + 1 < args->hidden; i += 2) {
    const float first = weight[i];
    weight[i] = weight[i + 1];
    weight[i + 1] = first;
  }
}
