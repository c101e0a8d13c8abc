// Codes are looked up in a vector register, a few scales at a time. What is large is written past
// the caches. Each level of the architecture has its own way; the processor's is chosen at run
// time.
#include "task.h"

#include <algorithm>
#include <bit>

#include <immintrin.h>

#define INLINE inline __attribute__((always_inline))
#define LEVEL3 __attribute__((target("avx2,fma,f16c,bmi2")))
#define LEVEL4                                              \
  __attribute__((                                           \
      target("avx512f,avx512bw,avx512vl,avx512dq,avx512cd," \
             "avx2,fma,f16c,bmi2,prefer-vector-width=512")))

namespace {
using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::w)>>;
constexpr std::int64_t kCodes = 32;  // of a scale
constexpr std::int64_t kBlock = 512;
constexpr std::int64_t kAhead = 1024;        // bytes
constexpr std::int64_t kStreamed = 1 << 20;  // bytes of w that are more than a cache should keep

LEVEL3 inline void narrow_f16c(const float* from, tp_fp16* to, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i),
                     _mm256_cvtps_ph(_mm256_loadu_ps(from + i), _MM_FROUND_TO_NEAREST_INT));
  }
  for (; i < count; ++i) to[i] = tp_from_float<tp_fp16>(from[i]);
}

// Where results of a block go as floats: where they belong, or into `buffer`, for narrow()
// to store.
template <typename E>
INLINE float* floats_of(E* to, float* buffer) {
  if constexpr (std::is_same_v<E, float>) {
    return to;
  } else {
    return buffer;
  }
}

template <bool kWide, typename E>
INLINE void narrow(const float* from, E* to, std::int64_t count) {
  if constexpr (kWide && std::is_same_v<E, tp_fp16>) {
    narrow_f16c(from, to, count);
  } else if constexpr (!std::is_same_v<E, float>) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = tp_from_float<E>(from[i]);
  }
}

// Whole lines past the caches: what memory holds of them is not read first.
void stream_sse(const char* from, char* to, std::int64_t bytes) {
  for (std::int64_t i = 0; i < bytes; i += 16) {
    _mm_stream_si128(reinterpret_cast<__m128i*>(to + i),
                     _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i)));
  }
}
LEVEL3 inline void stream_avx2(const char* from, char* to, std::int64_t bytes) {
  for (std::int64_t i = 0; i < bytes; i += 32) {
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i),
                        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i)));
  }
}
LEVEL4 inline void stream_avx512(const char* from, char* to, std::int64_t bytes) {
  for (std::int64_t i = 0; i < bytes; i += 64) {
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + i), _mm512_loadu_si512(from + i));
  }
}

template <int kBytes>
INLINE void stream(const void* from, void* to, std::int64_t bytes) {
  const char* source = static_cast<const char*>(from);
  char* target = static_cast<char*>(to);
  const auto past_line = static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(to) % 64);
  const std::int64_t head = std::min(bytes, (64 - past_line) % 64);
  const std::int64_t end = head + (bytes - head) / 64 * 64;
  std::memcpy(target, source, static_cast<std::size_t>(head));
  if constexpr (kBytes == 64) {
    stream_avx512(source + head, target + head, end - head);
  } else if constexpr (kBytes == 32) {
    stream_avx2(source + head, target + head, end - head);
  } else {
    stream_sse(source + head, target + head, end - head);
  }
  std::memcpy(target + end, source + end, static_cast<std::size_t>(bytes - end));
}

// Of the codes of e2m1.
alignas(64) constexpr float kValues[16] = {0.0F,  0.5F,  1.0F,  1.5F,  2.0F,  3.0F,  4.0F,  6.0F,
                                           -0.0F, -0.5F, -1.0F, -1.5F, -2.0F, -3.0F, -4.0F, -6.0F};

// Codes of so many blocks, low nibbles first, times a scale each. A vector of bytes becomes one of
// pairs, the byte and what is left of it without its low nibble: a permutation sees only low bits.
LEVEL4 inline void unpack_avx512(const tp_code* codes, const float* scales, std::int64_t blocks,
                                 float* out) {
  const __m512 values = _mm512_load_ps(kValues);
  for (std::int64_t block = 0; block < blocks; ++block) {
    const __m512 scale = _mm512_set1_ps(scales[block]);
    for (std::int64_t j = block * kCodes; j < (block + 1) * kCodes; j += 16) {
      const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + j / 2));
      const __m512i wide = _mm512_cvtepu8_epi64(bytes);
      const __m512i pairs = _mm512_or_si512(wide, _mm512_slli_epi64(wide, 28));
      _mm512_storeu_ps(out + j, _mm512_mul_ps(_mm512_permutexvar_ps(pairs, values), scale));
    }
  }
}
LEVEL3 inline void unpack_avx2(const tp_code* codes, const float* scales, std::int64_t blocks,
                               float* out) {
  const __m256 values = _mm256_load_ps(kValues);
  const __m256i sign_bit = _mm256_set1_epi32(8);
  for (std::int64_t block = 0; block < blocks; ++block) {
    const __m256 scale = _mm256_set1_ps(scales[block]);
    for (std::int64_t j = block * kCodes; j < (block + 1) * kCodes; j += 8) {
      std::int32_t bytes;
      std::memcpy(&bytes, codes + j / 2, sizeof bytes);
      const __m256i wide = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(bytes));
      const __m256i pairs = _mm256_or_si256(wide, _mm256_slli_epi64(wide, 28));
      const __m256i sign = _mm256_slli_epi32(_mm256_and_si256(pairs, sign_bit), 28);
      const __m256 magnitude = _mm256_permutevar8x32_ps(values, pairs);
      const __m256 value = _mm256_or_ps(magnitude, _mm256_castsi256_ps(sign));
      _mm256_storeu_ps(out + j, _mm256_mul_ps(value, scale));
    }
  }
}
void unpack_any(const tp_code* codes, const float* scales, std::int64_t blocks, float* out) {
  for (std::int64_t block = 0; block < blocks; ++block) {
    for (std::int64_t j = block * kCodes / 2; j < (block + 1) * kCodes / 2; ++j) {
      out[2 * j] = kValues[codes[j] & 0xFU] * scales[block];
      out[2 * j + 1] = kValues[codes[j] >> 4U] * scales[block];
    }
  }
}
template <int kBytes>
INLINE void unpack(const tp_code* codes, const float* scales, std::int64_t blocks, float* out) {
  if constexpr (kBytes == 64) {
    unpack_avx512(codes, scales, blocks, out);
  } else if constexpr (kBytes == 32) {
    unpack_avx2(codes, scales, blocks, out);
  } else {
    unpack_any(codes, scales, blocks, out);
  }
}

// 2^(code - 127); the smallest is denormal.
INLINE float scale_of(tp_code code) {
  const std::uint32_t bits = static_cast<std::uint32_t>(code) << 23;
  const std::uint32_t nan = code == 255 ? 0x7FC00000U : bits;
  return std::bit_cast<float>(code == 0 ? 0x400000U : nan);
}

template <int kBytes>
INLINE void rows(const task_args& t, std::int64_t first, std::int64_t last, bool streamed) {
  constexpr bool kWide = kBytes > 16;
  alignas(64) float w_block[kBlock];
  alignas(64) T narrow_block[std::is_same_v<T, float> ? 1 : kBlock];
  float scales[kBlock / kCodes];
  for (std::int64_t row = first; row < last; ++row) {
    for (std::int64_t i = 0; i < t.cols; i += kBlock) {
      const std::int64_t count = std::min(kBlock, t.cols - i);
      const tp_code* codes = t.codes + (row * t.cols + i) / 2;
      // A core alone waits for lines it did not ask for early enough; past the end is no fault.
      for (std::int64_t j = 0; j < count / 2; j += 64) __builtin_prefetch(codes + kAhead + j);
      const tp_code* scale_codes = t.scales + (row * t.cols + i) / kCodes;
      __builtin_prefetch(scale_codes + kAhead / 8);
      for (std::int64_t j = 0; j < count / kCodes; ++j) scales[j] = scale_of(scale_codes[j]);
      T* w = t.w + row * t.w_stride + i;
      if (!streamed) {
        float* out = floats_of(w, w_block);
        unpack<kBytes>(codes, scales, count / kCodes, out);
        narrow<kWide>(out, w, count);
        continue;
      }
      unpack<kBytes>(codes, scales, count / kCodes, w_block);
      if constexpr (std::is_same_v<T, float>) {
        stream<kBytes>(w_block, w, count * static_cast<std::int64_t>(sizeof(T)));
      } else {
        narrow<kWide>(w_block, narrow_block, count);
        stream<kBytes>(narrow_block, w, count * static_cast<std::int64_t>(sizeof(T)));
      }
    }
  }
  _mm_sfence();
}

void any_level(const task_args& t, std::int64_t first, std::int64_t last, bool streamed) {
  rows<16>(t, first, last, streamed);
}
LEVEL3 void level3(const task_args& t, std::int64_t first, std::int64_t last, bool streamed) {
  rows<32>(t, first, last, streamed);
}
LEVEL4 void level4(const task_args& t, std::int64_t first, std::int64_t last, bool streamed) {
  rows<64>(t, first, last, streamed);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const auto run = pool->isa_level >= 4 ? level4 : pool->isa_level == 3 ? level3 : any_level;
  const std::int64_t rows = args->rows;
  const bool streamed = rows * args->cols * static_cast<std::int64_t>(sizeof(T)) >= kStreamed;
  // A few chunks per thread: one that is late does not keep the others waiting.
  const std::int64_t chunks = std::min(rows, 4 * pool->threads);
  tp_parallel_for(pool, chunks, [&](std::int64_t chunk) {
    run(*args, rows * chunk / chunks, rows * (chunk + 1) / chunks, streamed);
  });
}
