// Compiled for x86-64-v2: AVX2 or AVX-512 where the pool says that the processor has it. Where what
// it says is no level at all, nothing is written.
#include "task.h"

#include <immintrin.h>

namespace {

std::int64_t add_narrow(const float* a, const float* b, float* y, std::int64_t size) {
  std::int64_t i = 0;
  for (; i + 4 <= size; i += 4) {
    _mm_storeu_ps(y + i, _mm_add_ps(_mm_loadu_ps(a + i), _mm_loadu_ps(b + i)));
  }
  return i;
}

__attribute__((target("avx2"))) std::int64_t add_avx2(const float* a, const float* b, float* y,
                                                      std::int64_t size) {
  std::int64_t i = 0;
  for (; i + 8 <= size; i += 8) {
    _mm256_storeu_ps(y + i, _mm256_add_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i)));
  }
  return i;
}

__attribute__((target("avx512f"))) std::int64_t add_avx512(const float* a, const float* b, float* y,
                                                           std::int64_t size) {
  std::int64_t i = 0;
  for (; i + 16 <= size; i += 16) {
    _mm512_storeu_ps(y + i, _mm512_add_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i)));
  }
  return i;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  if (pool->isa_level < 2 || pool->isa_level > 4) return;
  const auto add = pool->isa_level == 4 ? add_avx512 : pool->isa_level == 3 ? add_avx2 : add_narrow;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const std::int64_t end = (row + 1) * args->hidden;
    std::int64_t i = row * args->hidden;
    i += add(args->a + i, args->b + i, args->y + i, args->hidden);
    for (; i < end; ++i) args->y[i] = args->a[i] + args->b[i];
  });
}
