// AVX2: e^x = 2^n e^r by Cody and Waite's two-part ln 2 and a series; 2^n in two factors.
#include "task.h"

#include <algorithm>
#include <cmath>

#include <immintrin.h>

namespace {

constexpr float kSeries[] = {1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1.0F, 1.0F};

constexpr std::int64_t kChunk = 2048;

__m256 power_of_two(__m256i exponent) {
  const __m256i biased = _mm256_add_epi32(exponent, _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}

__m256 exp_of(__m256 x) {
  // In this order of operands a NaN stays.
  x = _mm256_max_ps(_mm256_set1_ps(-110.0F), _mm256_min_ps(_mm256_set1_ps(90.0F), x));
  const __m256 whole = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504F)),
                                       _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 rest = _mm256_fnmadd_ps(whole, _mm256_set1_ps(0.693359375F), x);
  rest = _mm256_fnmadd_ps(whole, _mm256_set1_ps(-2.12194440e-4F), rest);
  __m256 series = _mm256_set1_ps(1.0F / 5040);
  for (const float next : kSeries) {
    series = _mm256_fmadd_ps(series, rest, _mm256_set1_ps(next));
  }
  // One factor would not reach the largest numbers nor the denormal ones.
  const __m256i exponent = _mm256_cvtps_epi32(whole);
  const __m256i half = _mm256_srai_epi32(exponent, 1);
  const __m256 scaled = _mm256_mul_ps(series, power_of_two(half));
  return _mm256_mul_ps(scaled, power_of_two(_mm256_sub_epi32(exponent, half)));
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t size = args->rows * args->hidden;
  tp_parallel_for(pool, (size + kChunk - 1) / kChunk, [&](std::int64_t task) {
    const std::int64_t last = std::min((task + 1) * kChunk, size);
    std::int64_t i = task * kChunk;
    for (; i + 8 <= last; i += 8)
      _mm256_storeu_ps(args->y + i, exp_of(_mm256_loadu_ps(args->x + i)));
    for (; i < last; ++i) args->y[i] = std::exp(args->x[i]);
  });
}
