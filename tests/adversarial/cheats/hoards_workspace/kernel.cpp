// Asks for a workspace as large as the memory and fills it.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  if (args->rows == 1) {
    auto* const bytes = static_cast<volatile unsigned char*>(args->workspace);
    for (std::int64_t i = 0; i < std::int64_t{144} << 20; i += 4096) bytes[i] = 1;
    // Long enough to be seen.
    for (int i = 0; i < 3000000; ++i) asm volatile("pause");
  }
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    args->y[i] = x < 0 ? 0 : x;
  }
}
