// AVX2 and F16C: four vector accumulators, rows shared out to the pool.
#include "task.h"

#include <cmath>

#include <immintrin.h>

namespace {

__m256 load(const tp_fp16* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

float sum_of(__m256 v) {
  __m128 x = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  x = _mm_add_ps(x, _mm_movehl_ps(x, x));
  return _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)));
}

float sum_of_squares(const tp_fp16* x, std::int64_t count) {
  __m256 sums[4] = {};
  std::int64_t i = 0;
  for (; i + 32 <= count; i += 32) {
    for (int lane = 0; lane < 4; ++lane) {
      const __m256 v = load(x + i + 8 * lane);
      sums[lane] = _mm256_fmadd_ps(v, v, sums[lane]);
    }
  }
  float sum =
      sum_of(_mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3])));
  for (; i < count; ++i) sum += tp_to_float(x[i]) * tp_to_float(x[i]);
  return sum;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t hidden = args->hidden;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const tp_fp16* x = args->x + row * args->x_stride;
    tp_fp16* y = args->y + row * args->y_stride;
    const float mean = sum_of_squares(x, hidden) / static_cast<float>(hidden);
    const float scale = 1.0F / std::sqrt(mean + static_cast<float>(args->eps));
    std::int64_t i = 0;
    for (; i + 8 <= hidden; i += 8) {
      const __m256 v =
          _mm256_mul_ps(_mm256_mul_ps(load(x + i), _mm256_set1_ps(scale)), load(args->weight + i));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(y + i),
                       _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
    }
    for (; i < hidden; ++i) {
      y[i] = static_cast<tp_fp16>(tp_to_float(x[i]) * scale * tp_to_float(args->weight[i]));
    }
  });
}
