// Strided: 32 partial sums in four AVX2 registers, the tail by a masked load.
#include "task.h"

#include <immintrin.h>

namespace {

float sum_of(const float* x, std::int64_t count) {
  __m256 sums[4] = {};
  std::int64_t i = 0;
  for (; i + 32 <= count; i += 32) {
    for (int lane = 0; lane < 4; ++lane) {
      sums[lane] = _mm256_add_ps(sums[lane], _mm256_loadu_ps(x + i + 8 * lane));
    }
  }
  for (; i < count; i += 8) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m256i left = _mm256_set1_epi32(static_cast<int>(count - i));
    const __m256 v = _mm256_maskload_ps(x + i, _mm256_cmpgt_epi32(left, index));
    sums[0] = _mm256_add_ps(sums[0], v);
  }
  const __m256 all =
      _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
  __m128 half = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
  half = _mm_hadd_ps(half, half);
  return _mm_cvtss_f32(_mm_hadd_ps(half, half));
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    args->y[row] = sum_of(args->x + row * args->x_stride, args->hidden);
  });
}
