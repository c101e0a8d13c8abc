// AVX-512: log2(e) folded into one fused multiply-add per element, 2^x by a polynomial and scalef.
#include "task.h"

#include <algorithm>

#include <immintrin.h>

namespace {

constexpr float kSeries[] = {1.54035304e-4F,
                             1.33335581e-3F,
                             9.61812911e-3F,
                             5.55041087e-2F,
                             2.40226507e-1F,
                             6.93147181e-1F,
                             1.0F};

constexpr float kLog2E = 1.44269504F;

__m512 load(const tp_fp16* from, __mmask16 mask) {
  return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, from));
}

// 2^v: its Taylor series on [-1/2, 1/2] times a power of two.
__m512 exp2_of(__m512 v) {
  const __m512 whole = _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  // -inf stays so in `whole`; the series must not meet inf - inf.
  const __m512 part = _mm512_mask_sub_ps(
      _mm512_setzero_ps(), _mm512_cmp_ps_mask(v, _mm512_set1_ps(-200.0F), _CMP_NLT_UQ), v, whole);
  __m512 series = _mm512_set1_ps(1.52527338e-5F);
  for (const float next : kSeries) {
    series = _mm512_fmadd_ps(series, part, _mm512_set1_ps(next));
  }
  return _mm512_scalef_ps(series, whole);
}

__mmask16 lanes(std::int64_t left) {
  return static_cast<__mmask16>((1U << std::min<std::int64_t>(left, 16)) - 1U);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t hidden = args->hidden;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const tp_fp16* x = args->x + row * args->x_stride;
    tp_fp16* y = args->y + row * args->y_stride;
    // fp16 has no number past 65504: times log2(e) none of this overflows.
    float largest = tp_to_float(x[0]);
    for (std::int64_t i = 1; i < hidden; ++i) largest = std::max(largest, tp_to_float(x[i]));
    const __m512 shift = _mm512_set1_ps(-largest * kLog2E);
    const auto power = [&](std::int64_t i, __mmask16 mask) {
      return exp2_of(_mm512_fmadd_ps(load(x + i, mask), _mm512_set1_ps(kLog2E), shift));
    };
    __m512 sums = _mm512_setzero_ps();
    for (std::int64_t i = 0; i < hidden; i += 16) {
      const __mmask16 mask = lanes(hidden - i);
      sums = _mm512_mask_add_ps(sums, mask, sums, power(i, mask));
    }
    const __m512 factor = _mm512_set1_ps(1.0F / _mm512_reduce_add_ps(sums));
    for (std::int64_t i = 0; i < hidden; i += 16) {
      const __mmask16 mask = lanes(hidden - i);
      const __m512 v = _mm512_mul_ps(power(i, mask), factor);
      _mm256_mask_storeu_epi16(y + i, mask, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
    }
  });
}
