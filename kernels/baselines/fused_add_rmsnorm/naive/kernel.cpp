// The sum is stored as the new residual; what was stored is normalised.
#include "task.h"

#include <cmath>

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::y)>>;

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t hidden = args->hidden;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const T* x = args->x + row * args->x_stride;
    T* residual = args->residual + row * hidden;
    T* y = args->y + row * hidden;
    float squares = 0;
    for (std::int64_t i = 0; i < hidden; ++i) {
      residual[i] = tp_from_float<T>(tp_to_float(x[i]) + tp_to_float(residual[i]));
      squares += tp_to_float(residual[i]) * tp_to_float(residual[i]);
    }
    const float mean = squares / static_cast<float>(hidden);
    const float scale = 1.0F / std::sqrt(mean + static_cast<float>(args->eps));
    for (std::int64_t i = 0; i < hidden; ++i) {
      y[i] = tp_from_float<T>(tp_to_float(residual[i]) * scale * tp_to_float(args->weight[i]));
    }
  });
}
