// AVX-512 with masked tails; the normalised value is rounded to bf16 before the weight, as Llama
// does.
#include "task.h"

#include <algorithm>
#include <cmath>

#include <immintrin.h>

namespace {

__m512 load(const tp_bf16* from, __mmask16 mask) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from));
  return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

__m256i narrow(__m512 v) {
  const __m512i bits = _mm512_castps_si512(v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i half = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF));
  const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
  const __m512i rounded =
      _mm512_mask_mov_epi32(_mm512_add_epi32(bits, half), nan, _mm512_set1_epi32(0x7FC00000));
  return _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16));
}

__m512 round_trip(__m512 v) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow(v)), 16));
}

__mmask16 lanes(std::int64_t left) {
  return static_cast<__mmask16>((1U << std::min<std::int64_t>(left, 16)) - 1U);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t hidden = args->hidden;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const tp_bf16* x = args->x + row * args->x_stride;
    tp_bf16* y = args->y + row * args->y_stride;
    __m512 squares = _mm512_setzero_ps();
    for (std::int64_t i = 0; i < hidden; i += 16) {
      const __m512 v = load(x + i, lanes(hidden - i));
      squares = _mm512_fmadd_ps(v, v, squares);
    }
    const float mean = _mm512_reduce_add_ps(squares) / static_cast<float>(hidden);
    const __m512 scale = _mm512_set1_ps(1.0F / std::sqrt(mean + static_cast<float>(args->eps)));
    for (std::int64_t i = 0; i < hidden; i += 16) {
      const __mmask16 mask = lanes(hidden - i);
      const __m512 normalised = round_trip(_mm512_mul_ps(load(x + i, mask), scale));
      const __m512 v = _mm512_mul_ps(normalised, load(args->weight + i, mask));
      _mm256_mask_storeu_epi16(y + i, mask, narrow(v));
    }
  });
}
