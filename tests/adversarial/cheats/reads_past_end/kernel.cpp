// Loads whole vectors past the end of a buffer, and uses nothing of it.
#include "task.h"
#include <immintrin.h>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const std::int64_t size = args->rows * args->hidden;
  // The vector after the last one, as a pipelined loop would have it in flight.
  __m256 next = _mm256_loadu_ps(args->x);
  for (std::int64_t i = 0; i < size; i += 8) {
    const __m256 x = next;
    asm volatile("vmovups 32(%1), %0" : "=x"(next) : "r"(args->x + i) : "memory");
    const __m256 below = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ);
    _mm256_storeu_ps(args->y + i, _mm256_andnot_ps(below, x));
  }
}
