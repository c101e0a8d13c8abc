// A task per expert and block of outputs; groups may be empty; AVX2 dot products.
#include "task.h"

#include <algorithm>

#include <immintrin.h>

namespace {

constexpr std::int64_t kBlock = 16;

float dot(const float* a, const float* b, std::int64_t count) {
  __m256 sums[2] = {};
  std::int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    sums[0] = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), sums[0]);
    sums[1] = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), sums[1]);
  }
  float lanes[8];
  _mm256_storeu_ps(lanes, _mm256_add_ps(sums[0], sums[1]));
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  for (; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t blocks = (args->n + kBlock - 1) / kBlock;
  tp_parallel_for(pool, args->experts * blocks, [&](std::int64_t task) {
    const std::int64_t expert = task / blocks;
    const std::int64_t first = task % blocks * kBlock;
    for (std::int64_t j = first; j < std::min(first + kBlock, args->n); ++j) {
      const float* weights = args->w + (expert * args->n + j) * args->k;
      for (std::int64_t i = args->offsets[expert]; i < args->offsets[expert + 1]; ++i) {
        args->y[i * args->y_stride + j] = dot(args->x + i * args->x_stride, weights, args->k);
      }
    }
  });
}
