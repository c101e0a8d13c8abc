// As vLLM: the sum is stored in fp16 first, and what was stored is normalised and rounded again.
#include "task.h"

#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t hidden = args->hidden;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const tp_fp16* x = args->x + row * args->x_stride;
    tp_fp16* residual = args->residual + row * hidden;
    tp_fp16* y = args->y + row * hidden;
    float squares = 0;
    for (std::int64_t i = 0; i < hidden; ++i) {
      residual[i] = static_cast<tp_fp16>(tp_to_float(x[i]) + tp_to_float(residual[i]));
      squares += tp_to_float(residual[i]) * tp_to_float(residual[i]);
    }
    const float mean = squares / static_cast<float>(hidden);
    const float scale = 1.0F / std::sqrt(mean + static_cast<float>(args->eps));
    for (std::int64_t i = 0; i < hidden; ++i) {
      const auto normalised = static_cast<tp_fp16>(tp_to_float(residual[i]) * scale);
      y[i] = static_cast<tp_fp16>(tp_to_float(normalised) * tp_to_float(args->weight[i]));
    }
  });
}
