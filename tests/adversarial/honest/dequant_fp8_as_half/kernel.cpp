// e4m3 codes shifted into fp16 patterns, which are too small by 2^8; F16C does the rest.
#include "task.h"

#include <bit>
#include <limits>

#include <immintrin.h>

namespace {

__m256 decode(__m128i codes) {
  const __m128i wide = _mm_cvtepu8_epi16(codes);
  const __m128i magnitude = _mm_and_si128(wide, _mm_set1_epi16(0x7F));
  const __m128i sign = _mm_slli_epi16(_mm_and_si128(wide, _mm_set1_epi16(0x80)), 8);
  const __m128i nan =
      _mm_and_si128(_mm_cmpeq_epi16(magnitude, _mm_set1_epi16(0x7F)), _mm_set1_epi16(0x7E00));
  const __m128i half = _mm_or_si128(_mm_or_si128(sign, nan), _mm_slli_epi16(magnitude, 7));
  return _mm256_mul_ps(_mm256_cvtph_ps(half), _mm256_set1_ps(256.0F));
}

float decode(tp_code code) {
  if ((code & 0x7F) == 0x7F) return std::numeric_limits<float>::quiet_NaN();
  const auto half = static_cast<std::uint16_t>((code & 0x80) << 8 | (code & 0x7F) << 7);
  return tp_to_float(std::bit_cast<tp_fp16>(half)) * 256.0F;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t blocks = (args->cols + 127) / 128;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const tp_code* codes = args->codes + row * args->codes_stride;
    const float* scales = args->scales + row / 128 * blocks;
    tp_fp16* w = args->w + row * args->w_stride;
    std::int64_t j = 0;
    for (; j + 8 <= args->cols; j += 8) {
      const __m128i eight = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + j));
      const __m256 v = _mm256_mul_ps(decode(eight), _mm256_set1_ps(scales[j / 128]));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(w + j),
                       _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
    }
    for (; j < args->cols; ++j) w[j] = static_cast<tp_fp16>(decode(codes[j]) * scales[j / 128]);
  });
}
