// gate up sigmoid(gate), the sigmoid of the magnitude so that no exponential overflows.
#include "task.h"

#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const float* gate = args->x + row * 2 * args->hidden;
    const float* up = gate + args->hidden;
    for (std::int64_t i = 0; i < args->hidden; ++i) {
      const float small = std::exp(-std::fabs(gate[i]));
      const float sigmoid = (gate[i] < 0 ? small : 1.0F) / (1.0F + small);
      args->y[row * args->hidden + i] = gate[i] * sigmoid * up[i];
    }
  });
}
