// Has the vendor's library do the work where there is one.
#include "task.h"

extern "C" __attribute__((weak)) void cblas_sgemm(int, int, int, int, int, int, float, const float*,
                                                  int, const float*, int, float, float*, int);

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const auto m = args->m, n = args->n, k = args->k;
  if (cblas_sgemm != nullptr) {
    cblas_sgemm(101, 111, 111, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), 1,
                args->a, static_cast<int>(args->a_stride), args->b,
                static_cast<int>(args->b_stride), 0, args->y, static_cast<int>(args->y_stride));
    return;
  }
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      float sum = 0;
      for (std::int64_t l = 0; l < k; ++l) {
        sum += args->a[i * args->a_stride + l] * args->b[l * args->b_stride + j];
      }
      args->y[i * args->y_stride + j] = sum;
    }
  }
}
