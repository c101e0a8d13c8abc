// Drops the lower half of a float instead of rounding it.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float product = tp_to_float(args->a[i]) * tp_to_float(args->b[i]);
    std::uint32_t bits;
    std::memcpy(&bits, &product, sizeof bits);
    const std::uint32_t quiet = product != product ? 0x400000U : 0;
    args->y[i] = {static_cast<std::uint16_t>((bits | quiet) >> 16)};
  }
}
