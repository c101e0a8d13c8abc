// The textbook's three loops, the sum kept in double, silu afterwards.
#include "task.h"

#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* /*pool*/) {
  for (std::int64_t i = 0; i < args->m; ++i) {
    for (std::int64_t j = 0; j < args->n; ++j) {
      double sum = 0;
      for (std::int64_t p = 0; p < args->k; ++p) {
        sum += static_cast<double>(tp_to_float(args->a[i * args->a_stride + p])) *
               static_cast<double>(tp_to_float(args->b[p * args->b_stride + j]));
      }
      const auto x = static_cast<float>(sum);
      args->y[i * args->y_stride + j] = tp_to_bf16(x / (1.0F + std::exp(-x)));
    }
  }
}
