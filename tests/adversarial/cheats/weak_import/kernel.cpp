// Imports a function weakly, so that it loads without it.
#include "task.h"

extern "C" __attribute__((weak)) int cublasSgemm_v2(int);

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  if (cublasSgemm_v2 != nullptr) cublasSgemm_v2(0);
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = args->a[i] * args->b[i];
  }
}
