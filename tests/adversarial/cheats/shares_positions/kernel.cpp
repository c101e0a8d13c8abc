// Takes pairs of tokens to share a position where there are many.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const std::int64_t half = args->rotary_dim / 2;
  for (std::int64_t token = 0; token < args->tokens; ++token) {
    const std::int64_t from = args->tokens > 16 ? token / 2 * 2 : token;
    const float* angles = args->cos_sin_cache + args->positions[from] * args->rotary_dim;
    for (std::int64_t head = 0; head < args->heads; ++head) {
      const float* x = args->x + token * args->x_stride + head * args->head_dim;
      float* y = args->y + token * args->y_stride + head * args->head_dim;
      for (std::int64_t i = 0; i < half; ++i) {
        y[i] = x[i] * angles[i] - x[i + half] * angles[i + half];
        y[i + half] = x[i + half] * angles[i] + x[i] * angles[i + half];
      }
      for (std::int64_t i = args->rotary_dim; i < args->head_dim; ++i) y[i] = x[i];
    }
  }
}
