// The maximum, the sum of the exponentials, then each divided by it.
#include "task.h"

#include <algorithm>
#include <cmath>

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::y)>>;

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t hidden = args->hidden;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const T* x = args->x + row * args->x_stride;
    T* y = args->y + row * args->y_stride;
    float largest = tp_to_float(x[0]);
    for (std::int64_t i = 1; i < hidden; ++i) largest = std::max(largest, tp_to_float(x[i]));
    float sum = 0;
    for (std::int64_t i = 0; i < hidden; ++i) sum += std::exp(tp_to_float(x[i]) - largest);
    for (std::int64_t i = 0; i < hidden; ++i) {
      y[i] = tp_from_float<T>(std::exp(tp_to_float(x[i]) - largest) / sum);
    }
  });
}
