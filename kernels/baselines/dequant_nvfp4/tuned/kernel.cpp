// Codes by their bits, block by block. Plain loops that the compiler vectorises
// for each level of the architecture; the processor's own is chosen at run time.
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

constexpr std::int64_t kCodes = 16;  // of a block

// Codes of e2m1 as floats by their bits: 2^126 too small, which a product mends.
INLINE float value_of(std::uint32_t code) {
  const float magnitude = std::bit_cast<float>((code & 7U) << 22) * 0x1p126F;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) | (code & 8U) << 28);
}

// The codes of a block, low nibbles first.
template <std::int64_t kCodes>
INLINE void unpack(const tp_code* codes, float scale, float* out) {
  for (std::int64_t j = 0; j < kCodes / 2; ++j) {
    out[2 * j] = value_of(codes[j] & 0xFU) * scale;
    out[2 * j + 1] = value_of(codes[j] >> 4U) * scale;
  }
}

// Of e4m3, without a sign.
INLINE float scale_of(tp_code code) {
  if ((code & 0x7F) == 0x7F) return std::bit_cast<float>(0x7FC00000U);
  return std::bit_cast<float>(static_cast<std::uint32_t>(code & 0x7F) << 20) * 0x1p120F;
}

template <int kBytes>
INLINE void rows(const task_args& t, std::int64_t first, std::int64_t last) {
  constexpr bool kWide = kBytes > 16;
  float w_block[kCodes];
  const std::int64_t blocks = t.cols / kCodes;
  for (std::int64_t row = first; row < last; ++row) {
    for (std::int64_t block = 0; block < blocks; ++block) {
      const std::int64_t at = row * blocks + block;
      T* w = t.w + row * t.w_stride + block * kCodes;
      float* out = floats_of(w, w_block);
      unpack<kCodes>(t.codes + at * (kCodes / 2), scale_of(t.scales[at]) * t.global[0], out);
      narrow<kWide>(out, w, kCodes);
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
  const std::int64_t rows = args->rows;
  // A few chunks per thread: one that is late does not keep the others waiting.
  const std::int64_t chunks = std::min(rows, 4 * pool->threads);
  tp_parallel_for(pool, chunks, [&](std::int64_t chunk) {
    run(*args, rows * chunk / chunks, rows * (chunk + 1) / chunks);
  });
}
