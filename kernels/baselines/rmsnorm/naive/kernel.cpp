// The squares of a row summed up, then the row scaled.
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
    float squares = 0;
    for (std::int64_t i = 0; i < hidden; ++i) squares += tp_to_float(x[i]) * tp_to_float(x[i]);
    const float mean = squares / static_cast<float>(hidden);
    const float scale = 1.0F / std::sqrt(mean + static_cast<float>(args->eps));
    for (std::int64_t i = 0; i < hidden; ++i) {
      y[i] = tp_from_float<T>(tp_to_float(x[i]) * scale * tp_to_float(args->weight[i]));
    }
  });
}
