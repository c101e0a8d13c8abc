// AVX2: the mean first, then the squares of the deviations from it.
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

float mean_of(const tp_fp16* x, std::int64_t count) {
  __m256 sums = _mm256_setzero_ps();
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) sums = _mm256_add_ps(sums, load(x + i));
  float sum = sum_of(sums);
  for (; i < count; ++i) sum += tp_to_float(x[i]);
  return sum / static_cast<float>(count);
}

float variance_of(const tp_fp16* x, std::int64_t count, float mean) {
  __m256 sums = _mm256_setzero_ps();
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 deviation = _mm256_sub_ps(load(x + i), _mm256_set1_ps(mean));
    sums = _mm256_fmadd_ps(deviation, deviation, sums);
  }
  float sum = sum_of(sums);
  for (; i < count; ++i) {
    const float deviation = tp_to_float(x[i]) - mean;
    sum += deviation * deviation;
  }
  return sum / static_cast<float>(count);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t hidden = args->hidden;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const tp_fp16* x = args->x + row * args->x_stride;
    tp_fp16* y = args->y + row * args->y_stride;
    const float mean = mean_of(x, hidden);
    const float variance = variance_of(x, hidden, mean);
    const float scale = 1.0F / std::sqrt(variance + static_cast<float>(args->eps));
    for (std::int64_t i = 0; i < hidden; ++i) {
      const float normalised = (tp_to_float(x[i]) - mean) * scale;
      y[i] = static_cast<tp_fp16>(normalised * tp_to_float(args->weight[i]) +
                                  tp_to_float(args->bias[i]));
    }
  });
}
