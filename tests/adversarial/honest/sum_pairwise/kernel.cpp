// Pairwise: halves summed apart, down to runs of sixteen.
#include "task.h"

namespace {

float sum_of(const tp_fp16* x, std::int64_t count) {
  if (count > 16) return sum_of(x, count / 2) + sum_of(x + count / 2, count - count / 2);
  float sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += tp_to_float(x[i]);
  return sum;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    args->y[row] = static_cast<tp_fp16>(sum_of(args->x + row * args->x_stride, args->hidden));
  });
}
