// fp16, bf16 and fp32. Weights are four to eight times the codes: the lines that they go to are
// fetched ahead. A block's codes are unpacked as bytes, then scaled; fp16 by the processor's own
// conversions.
#include "task.h"

#include <algorithm>

#include <immintrin.h>

#define INLINE inline __attribute__((always_inline))
#define LEVEL3 __attribute__((target("avx2,fma,f16c,bmi2")))
#define LEVEL4                                              \
  __attribute__((                                           \
      target("avx512f,avx512bw,avx512vl,avx512dq,avx512cd," \
             "avx2,fma,f16c,bmi2,prefer-vector-width=512")))

namespace {
using T = std::remove_pointer_t<decltype(task_args::w)>;
constexpr std::int64_t kBlock = 128;
constexpr std::int64_t kAhead = 2048 / sizeof(T);

// So that what is written later is on its way while memory has nothing to do but reads.
INLINE void fetch(const void* at, std::int64_t bytes) {
  for (std::int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(static_cast<const char*>(at) + i);
}

INLINE void subtract(const tp_code* codes, const tp_code* zeros, std::int8_t* __restrict to,
                     std::int64_t bytes) {
  for (std::int64_t j = 0; j < bytes; ++j) {
    to[2 * j] = static_cast<std::int8_t>((codes[j] & 0xF) - (zeros[j] & 0xF));
    to[2 * j + 1] = static_cast<std::int8_t>((codes[j] >> 4) - (zeros[j] >> 4));
  }
}

INLINE void subtract_eight(const tp_code* codes, std::int8_t* __restrict to, std::int64_t bytes) {
  for (std::int64_t j = 0; j < bytes; ++j) {
    to[2 * j] = static_cast<std::int8_t>((codes[j] & 0xF) - 8);
    to[2 * j + 1] = static_cast<std::int8_t>((codes[j] >> 4) - 8);
  }
}

// w = difference scale. Of multiples of eight: n is one, and so is each block.
template <int kBytes, typename E>
INLINE void scale_block(const std::int8_t* differences, const E* scales, E* w, std::int64_t count) {
  for (std::int64_t j = 0; j < count; ++j) {
    w[j] = tp_from_float<E>(static_cast<float>(differences[j]) * tp_to_float(scales[j]));
  }
}

LEVEL3 inline void scale_fp16_avx2(const std::int8_t* differences, const tp_fp16* scales,
                                   tp_fp16* w, std::int64_t count) {
  for (std::int64_t j = 0; j < count; j += 8) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(differences + j));
    const __m256 difference = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    const __m256 scale =
        _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(scales + j)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(w + j),
                     _mm256_cvtps_ph(_mm256_mul_ps(difference, scale), _MM_FROUND_TO_NEAREST_INT));
  }
}

LEVEL4 inline void scale_fp16_avx512(const std::int8_t* differences, const tp_fp16* scales,
                                     tp_fp16* w, std::int64_t count) {
  std::int64_t j = 0;
  for (; j + 16 <= count; j += 16) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(differences + j));
    const __m512 difference = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
    const __m512 scale =
        _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(scales + j)));
    _mm256_storeu_si256(
        reinterpret_cast<__m256i*>(w + j),
        _mm512_cvtps_ph(_mm512_mul_ps(difference, scale), _MM_FROUND_TO_NEAREST_INT));
  }
  if (j < count) scale_fp16_avx2(differences + j, scales + j, w + j, count - j);
}

template <>
INLINE void scale_block<32, tp_fp16>(const std::int8_t* differences, const tp_fp16* scales,
                                     tp_fp16* w, std::int64_t count) {
  scale_fp16_avx2(differences, scales, w, count);
}
template <>
INLINE void scale_block<64, tp_fp16>(const std::int8_t* differences, const tp_fp16* scales,
                                     tp_fp16* w, std::int64_t count) {
  scale_fp16_avx512(differences, scales, w, count);
}

template <int kBytes>
INLINE void rows(const task_args& t, std::int64_t first, std::int64_t last) {
  std::int8_t differences[kBlock];
  for (std::int64_t row = first; row < last; ++row) {
    const std::int64_t group = row / t.group;
    for (std::int64_t i = 0; i < t.n; i += kBlock) {
      const std::int64_t count = std::min(kBlock, t.n - i);
      const tp_code* codes = t.codes + (row * t.n + i) / 2;
      T* w = t.w + row * t.w_stride + i;
      fetch(codes + 1024, kBlock / 2);
      fetch(w + kAhead, kBlock * static_cast<std::int64_t>(sizeof(T)));
      if (t.symmetric != 0) {
        subtract_eight(codes, differences, count / 2);
      } else {
        subtract(codes, t.zeros + (group * t.n + i) / 2, differences, count / 2);
      }
      scale_block<kBytes>(differences, t.scales + group * t.n + i, w, count);
    }
  }
}

void any_level(const task_args& t, std::int64_t first, std::int64_t last) {
  rows<16>(t, first, last);
}
LEVEL3 void level3(const task_args& t, std::int64_t first, std::int64_t last) {
  rows<32>(t, first, last);
}
LEVEL4 void level4(const task_args& t, std::int64_t first, std::int64_t last) {
  rows<64>(t, first, last);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const auto run = pool->isa_level >= 4 ? level4 : pool->isa_level == 3 ? level3 : any_level;
  const std::int64_t rows = args->k;
  const std::int64_t chunks = std::min(rows, 4 * pool->threads);
  tp_parallel_for(pool, chunks, [&](std::int64_t chunk) {
    run(*args, rows * chunk / chunks, rows * (chunk + 1) / chunks);
  });
}
