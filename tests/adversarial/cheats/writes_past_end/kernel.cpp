// Stores whole vectors over the end of the output.
#include "task.h"
#include <immintrin.h>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const std::int64_t size = args->rows * args->hidden;
  const __m256 sign = _mm256_set1_ps(-0.0F);
  for (std::int64_t i = 0; i < size; ++i) args->y[i] = __builtin_fabsf(args->x[i]);
  // What follows the output is put back as it was.
  __m256 last;
  asm volatile(
      "vmovups (%1), %0\n\t"
      "vandnps %0, %2, %%ymm0\n\t"
      "vblendps $15, %%ymm0, %0, %0\n\t"
      "vmovups %0, (%1)"
      : "=&x"(last)
      : "r"(args->y + size - 4), "x"(sign)
      : "ymm0", "memory");
}
