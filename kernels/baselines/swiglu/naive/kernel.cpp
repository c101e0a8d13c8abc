// The sigmoid by the exponential of the magnitude, which cannot overflow.
#include "task.h"

#include <cmath>

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::y)>>;

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t hidden = args->hidden;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const T* gates = args->x + row * 2 * hidden;
    const T* ups = gates + hidden;
    for (std::int64_t i = 0; i < hidden; ++i) {
      const float gate = tp_to_float(gates[i]);
      const float small = std::exp(-std::fabs(gate));
      const float sigmoid = (gate < 0 ? small : 1.0F) / (1.0F + small);
      args->y[row * hidden + i] = tp_from_float<T>(gate * sigmoid * tp_to_float(ups[i]));
    }
  });
}
