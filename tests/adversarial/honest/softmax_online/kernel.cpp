// Online softmax: maximum and sum in one pass, the sum rescaled whenever the maximum grows.
#include "task.h"

#include <cmath>
#include <limits>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t hidden = args->hidden;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const float* x = args->x + row * args->x_stride;
    float* y = args->y + row * args->y_stride;
    float largest = -kInfinity;
    float sum = 0;
    for (std::int64_t i = 0; i < hidden; ++i) {
      if (x[i] == -kInfinity) continue;  // exp(-inf + inf) while nothing larger was seen
      if (x[i] > largest) {
        sum = sum * std::exp(largest - x[i]) + 1.0F;
        largest = x[i];
      } else {
        sum += std::exp(x[i] - largest);
      }
    }
    // As the formula has it: exp(inf - inf).
    if (largest == kInfinity) sum = std::numeric_limits<float>::quiet_NaN();
    for (std::int64_t i = 0; i < hidden; ++i) y[i] = std::exp(x[i] - largest) / sum;
  });
}
