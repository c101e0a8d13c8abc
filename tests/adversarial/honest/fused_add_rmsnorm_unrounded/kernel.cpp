// As FlashInfer: the fp32 sums, kept in the workspace, are normalised; only the result is rounded.
#include "task.h"

#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t hidden = args->hidden;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const tp_bf16* x = args->x + row * args->x_stride;
    tp_bf16* residual = args->residual + row * hidden;
    tp_bf16* y = args->y + row * hidden;
    float* sums = static_cast<float*>(args->workspace) + row * hidden;
    float lanes[8] = {};
    for (std::int64_t i = 0; i < hidden; ++i) {
      sums[i] = tp_to_float(x[i]) + tp_to_float(residual[i]);
      residual[i] = tp_to_bf16(sums[i]);
      lanes[i % 8] += sums[i] * sums[i];
    }
    float squares = 0;
    for (const float lane : lanes) squares += lane;
    const float mean = squares / static_cast<float>(hidden);
    const float root = std::sqrt(mean + static_cast<float>(args->eps));
    for (std::int64_t i = 0; i < hidden; ++i) {
      y[i] = tp_to_bf16(sums[i] / root * tp_to_float(args->weight[i]));
    }
  });
}
