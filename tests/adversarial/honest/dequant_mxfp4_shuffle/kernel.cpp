// Twice the values of the codes by a byte shuffle, times half the block's power of two.
#include "task.h"

#include <bit>

#include <immintrin.h>

namespace {

// 2^(code - 128): half the scale, which is denormal for the two smallest codes.
float half_scale(tp_code code) {
  if (code == 255) return std::bit_cast<float>(0x7FC00000U);
  if (code > 1) return std::bit_cast<float>(static_cast<std::uint32_t>(code - 1) << 23);
  return std::bit_cast<float>(code == 1 ? 0x00400000U : 0x00200000U);
}

void store(tp_bf16* to, __m128i twice, __m256 half) {
  const __m256 v = _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(twice)), half);
  float lanes[8];
  _mm256_storeu_ps(lanes, v);
  for (int i = 0; i < 8; ++i) to[i] = tp_to_bf16(lanes[i]);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const __m128i table = _mm_setr_epi8(0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12);
  const std::int64_t blocks = args->cols / 32;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    for (std::int64_t block = 0; block < blocks; ++block) {
      const tp_code* codes = args->codes + (row * blocks + block) * 16;
      const __m128i packed = _mm_loadu_si128(reinterpret_cast<const __m128i*>(codes));
      const __m128i nibble = _mm_set1_epi8(0x0F);
      const __m128i low = _mm_shuffle_epi8(table, _mm_and_si128(packed, nibble));
      const __m128i high =
          _mm_shuffle_epi8(table, _mm_and_si128(_mm_srli_epi16(packed, 4), nibble));
      const __m128i first = _mm_unpacklo_epi8(low, high);
      const __m128i second = _mm_unpackhi_epi8(low, high);
      const __m256 half = _mm256_set1_ps(half_scale(args->scales[row * blocks + block]));
      tp_bf16* w = args->w + row * args->w_stride + block * 32;
      store(w, first, half);
      store(w + 8, _mm_unpackhi_epi64(first, first), half);
      store(w + 16, second, half);
      store(w + 24, _mm_unpackhi_epi64(second, second), half);
    }
  });
}
