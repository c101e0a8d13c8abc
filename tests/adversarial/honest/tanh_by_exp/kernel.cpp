// 1 - 2 / (e^2x + 1) where that keeps its bits, an odd polynomial near zero where it cancels.
#include "task.h"

#include <cmath>

namespace {

float tanh_of(float x) {
  const float magnitude = std::fabs(x);
  if (magnitude < 0.625F) {
    const float z = x * x;
    const float tail = (((-5.70498872745e-3F * z + 2.06390887954e-2F) * z - 5.37397155531e-2F) * z +
                        1.33314422036e-1F) *
                           z -
                       3.33332819422e-1F;
    return x + x * z * tail;
  }
  return std::copysign(1.0F - 2.0F / (std::exp(2.0F * magnitude) + 1.0F), x);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const std::int64_t first = row * args->hidden;
    for (std::int64_t i = first; i < first + args->hidden; ++i) {
      args->y[i] = tp_to_bf16(tanh_of(tp_to_float(args->x[i])));
    }
  });
}
