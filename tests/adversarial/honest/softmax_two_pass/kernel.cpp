// Maximum, then exponentials kept in the workspace and their sum, then one division each.
#include "task.h"

#include <algorithm>
#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t hidden = args->hidden;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const tp_bf16* x = args->x + row * args->x_stride;
    tp_bf16* y = args->y + row * args->y_stride;
    float* powers = static_cast<float*>(args->workspace) + row * hidden;
    float largest = tp_to_float(x[0]);
    for (std::int64_t i = 1; i < hidden; ++i) largest = std::max(largest, tp_to_float(x[i]));
    float sum = 0;
    for (std::int64_t i = hidden - 1; i >= 0; --i) {
      powers[i] = std::exp(tp_to_float(x[i]) - largest);
      sum += powers[i];
    }
    for (std::int64_t i = 0; i < hidden; ++i) y[i] = tp_to_bf16(powers[i] / sum);
  });
}
