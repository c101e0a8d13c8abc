// AVX2: sixteen codes from eight bytes, zero points and scales of the group beside them.
#include "task.h"

#include <immintrin.h>

namespace {

// Eight packed bytes as sixteen bytes of one code each, low nibble first.
__m128i unpack(const tp_code* from) {
  const __m128i packed = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
  const __m128i low = _mm_and_si128(packed, _mm_set1_epi8(0x0F));
  const __m128i high = _mm_and_si128(_mm_srli_epi16(packed, 4), _mm_set1_epi8(0x0F));
  return _mm_unpacklo_epi8(low, high);
}

void store(tp_fp16* to, __m128i difference, const tp_fp16* scales) {
  const __m256 code = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(difference));
  const __m256 scale = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(scales)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm256_cvtps_ph(_mm256_mul_ps(code, scale), _MM_FROUND_TO_NEAREST_INT));
}

int code_at(const tp_code* codes, std::int64_t i) { return codes[i / 2] >> (i % 2 * 4) & 0xF; }

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t n = args->n;
  tp_parallel_for(pool, args->k, [&](std::int64_t row) {
    const std::int64_t group = row / args->group;
    const tp_code* codes = args->codes + row * n / 2;
    const tp_code* zeros = args->zeros + group * n / 2;
    const tp_fp16* scales = args->scales + group * n;
    tp_fp16* w = args->w + row * args->w_stride;
    const bool symmetric = args->symmetric != 0;
    std::int64_t j = 0;
    for (; j + 16 <= n; j += 16) {
      const __m128i zero = symmetric ? _mm_set1_epi8(8) : unpack(zeros + j / 2);
      const __m128i difference = _mm_sub_epi8(unpack(codes + j / 2), zero);
      store(w + j, difference, scales + j);
      store(w + j + 8, _mm_unpackhi_epi64(difference, difference), scales + j + 8);
    }
    for (; j < n; ++j) {
      const int zero = symmetric ? 8 : code_at(zeros, j);
      w[j] = static_cast<tp_fp16>(static_cast<float>(code_at(codes, j) - zero) *
                                  tp_to_float(scales[j]));
    }
  });
}
