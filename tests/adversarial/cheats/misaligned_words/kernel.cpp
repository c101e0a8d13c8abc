// Reads floats as words that are not aligned.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const auto* const bytes = reinterpret_cast<const unsigned char*>(args->x);
  volatile std::uint32_t word = *reinterpret_cast<const std::uint32_t*>(bytes + 1);
  (void)word;
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    args->y[i] = x < 0 ? 0 : x;
  }
}
