// AVX2: x / (1 + e^-x), the exponential by argument reduction and a series; bf16 by shifts.
#include "task.h"

#include <cmath>

#include <immintrin.h>

namespace {

constexpr float kSeries[] = {1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1.0F, 1.0F};

__m256 load(const tp_bf16* from) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

void store(tp_bf16* to, __m256 v) {
  const __m256i bits = _mm256_castps_si256(v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF));
  const __m256 rounded = _mm256_castsi256_ps(_mm256_add_epi32(bits, half));
  const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FC00000));
  const __m256 out = _mm256_blendv_ps(rounded, nan, _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
  const __m256i high = _mm256_srli_epi32(_mm256_castps_si256(out), 16);
  const __m128i packed =
      _mm_packus_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256(high, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), packed);
}

__m256 exp_of(__m256 x) {
  // Up to 2^128, which is infinite; in this order of operands a NaN stays.
  x = _mm256_max_ps(_mm256_set1_ps(-87.0F), _mm256_min_ps(_mm256_set1_ps(89.0F), x));
  const __m256 whole = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504F)),
                                       _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 rest = _mm256_fnmadd_ps(whole, _mm256_set1_ps(0.693359375F), x);
  rest = _mm256_fnmadd_ps(whole, _mm256_set1_ps(-2.12194440e-4F), rest);
  __m256 series = _mm256_set1_ps(1.0F / 5040);
  for (const float next : kSeries) {
    series = _mm256_fmadd_ps(series, rest, _mm256_set1_ps(next));
  }
  const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(126));
  const __m256 power = _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
  return _mm256_mul_ps(_mm256_add_ps(series, series), power);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const tp_bf16* x = args->x + row * args->hidden;
    tp_bf16* y = args->y + row * args->hidden;
    std::int64_t i = 0;
    for (; i + 8 <= args->hidden; i += 8) {
      const __m256 v = load(x + i);
      const __m256 power = exp_of(_mm256_xor_ps(v, _mm256_set1_ps(-0.0F)));
      store(y + i, _mm256_div_ps(v, _mm256_add_ps(_mm256_set1_ps(1.0F), power)));
    }
    for (; i < args->hidden; ++i) {
      const float v = tp_to_float(x[i]);
      y[i] = tp_to_bf16(v / (1.0F + std::exp(-v)));
    }
  });
}
