// AVX-512: a 14-bit reciprocal root and one Newton step; zeros and infinity are passed through.
#include "task.h"

#include <algorithm>
#include <limits>

#include <immintrin.h>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* /*pool*/) {
  const __m512 infinity = _mm512_set1_ps(std::numeric_limits<float>::infinity());
  const __m512 half = _mm512_set1_ps(0.5F);
  const std::int64_t size = args->rows * args->hidden;
  for (std::int64_t i = 0; i < size; i += 16) {
    const auto mask = static_cast<__mmask16>((1U << std::min<std::int64_t>(size - i, 16)) - 1U);
    const __m512 x = _mm512_maskz_loadu_ps(mask, args->x + i);
    const __m512 inverse = _mm512_rsqrt14_ps(x);
    const __m512 root = _mm512_mul_ps(x, inverse);
    const __m512 off = _mm512_fnmadd_ps(_mm512_mul_ps(inverse, half), root, half);
    const __m512 better = _mm512_fmadd_ps(root, off, root);
    const __mmask16 passed =
        static_cast<__mmask16>(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_EQ_OQ) |
                               _mm512_cmp_ps_mask(x, infinity, _CMP_EQ_OQ));
    _mm512_mask_storeu_ps(args->y + i, mask, _mm512_mask_mov_ps(better, passed, x));
  }
}
