// The mean first, then the squares of the deviations from it, then the row.
#include "task.h"

#include <cmath>

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::y)>>;

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t hidden = args->hidden;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const T* x = args->x + row * args->x_stride;
    T* y = args->y + row * args->y_stride;
    float sum = 0;
    for (std::int64_t i = 0; i < hidden; ++i) sum += tp_to_float(x[i]);
    const float mean = sum / static_cast<float>(hidden);
    float squares = 0;
    for (std::int64_t i = 0; i < hidden; ++i) {
      const float deviation = tp_to_float(x[i]) - mean;
      squares += deviation * deviation;
    }
    const float variance = squares / static_cast<float>(hidden);
    const float scale = 1.0F / std::sqrt(variance + static_cast<float>(args->eps));
    for (std::int64_t i = 0; i < hidden; ++i) {
      const float normalised = (tp_to_float(x[i]) - mean) * scale;
      y[i] =
          tp_from_float<T>(normalised * tp_to_float(args->weight[i]) + tp_to_float(args->bias[i]));
    }
  });
}
