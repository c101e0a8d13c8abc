// Uses aligned vector loads where any element may come first.
#include "task.h"
#include <immintrin.h>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const std::int64_t size = args->rows * args->hidden;
  for (std::int64_t i = 0; i < size; i += 4) {
    __m128 sum;
    asm volatile("movaps (%1), %0\n\taddps %2, %0"
                 : "=&x"(sum)
                 : "r"(args->a + i), "x"(_mm_loadu_ps(args->b + i))
                 : "memory");
    _mm_storeu_ps(args->y + i, sum);
  }
}
