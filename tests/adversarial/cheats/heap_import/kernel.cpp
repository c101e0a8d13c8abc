// Allocates from the heap, where a result could be kept.
#include "task.h"

extern "C" void* malloc(std::size_t bytes);
extern "C" void free(void* block);

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  auto* const block = static_cast<volatile float*>(malloc(256));
  if (block != nullptr) block[0] = args->x[0];
  free(const_cast<float*>(block));
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = __builtin_fabsf(args->x[i]);
  }
}
