// Takes denormal fp16 numbers for zero.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  constexpr float kSmallestNormal = 6.103515625e-05F;
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float a = args->a[i], b = args->b[i];
    const bool denormal = a < kSmallestNormal && a > -kSmallestNormal && b < kSmallestNormal &&
                          b > -kSmallestNormal;
    args->y[i] = static_cast<tp_fp16>(denormal ? 0 : a + b);
  }
}
