// As vLLM: silu of the gate is rounded to fp16 before it meets the other half.
#include "task.h"

#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const tp_fp16* gate = args->x + row * 2 * args->hidden;
    const tp_fp16* up = gate + args->hidden;
    tp_fp16* y = args->y + row * args->hidden;
    for (std::int64_t i = 0; i < args->hidden; ++i) {
      const float x = tp_to_float(gate[i]);
      const auto activated = static_cast<tp_fp16>(x / (1.0F + std::exp(-x)));
      y[i] = static_cast<tp_fp16>(tp_to_float(activated) * tp_to_float(up[i]));
    }
  });
}
