// The exponent, and a polynomial around 1 for the rest. Plain loops that the compiler vectorises
// for each level of the architecture; the processor's own is chosen at run time.
#include "task.h"

#include <algorithm>
#include <bit>
#include <limits>

#include <immintrin.h>

#define INLINE inline __attribute__((always_inline))
#define LEVEL3 __attribute__((target("avx2,fma,f16c,bmi2")))
#define LEVEL4                                              \
  __attribute__((                                           \
      target("avx512f,avx512bw,avx512vl,avx512dq,avx512cd," \
             "avx2,fma,f16c,bmi2,prefer-vector-width=512")))

namespace {
using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::y)>>;
constexpr std::int64_t kBlock = 256;

// The compiler vectorises no conversion of fp16.
LEVEL3 inline void widen_f16c(const tp_fp16* from, float* to, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(half));
  }
  for (; i < count; ++i) to[i] = tp_to_float(from[i]);
}

// A block as floats: where it is, or converted into `buffer`.
template <bool kWide, typename E>
INLINE const float* widen(const E* from, float* buffer, std::int64_t count) {
  if constexpr (std::is_same_v<E, float>) {
    return from;
  } else if constexpr (kWide && std::is_same_v<E, tp_fp16>) {
    widen_f16c(from, buffer, count);
    return buffer;
  } else {
    for (std::int64_t i = 0; i < count; ++i) buffer[i] = tp_to_float(from[i]);
    return buffer;
  }
}

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

// By bits: a conditional that may trap on NaN keeps the compiler from vectorising.
INLINE float choose(bool first, float a, float b) {
  const std::uint32_t mask = -static_cast<std::uint32_t>(first);
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(a) & mask) |
                              (std::bit_cast<std::uint32_t>(b) & ~mask));
}

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// x = 2^n m with m in [sqrt(1/2), sqrt(2)).
INLINE float log_of(float x) {
  const bool tiny = x < std::numeric_limits<float>::min();
  const float normal = choose(tiny, x * 0x1p24F, x);
  const auto bits = std::bit_cast<std::uint32_t>(normal);
  const std::int32_t n = static_cast<std::int32_t>(bits - 0x3F3504F3U) >> 23;
  const float m = std::bit_cast<float>(bits - (static_cast<std::uint32_t>(n) << 23));
  const float r = m - 1.0F;
  const float z = r * r;
  float series = 7.0376836292e-2F;
  series = series * r - 1.1514610310e-1F;
  series = series * r + 1.1676998740e-1F;
  series = series * r - 1.2420140846e-1F;
  series = series * r + 1.4249322787e-1F;
  series = series * r - 1.6668057665e-1F;
  series = series * r + 2.0000714765e-1F;
  series = series * r - 2.4999993993e-1F;
  series = series * r + 3.3333331174e-1F;
  const float exponent = static_cast<float>(n) - choose(tiny, 24.0F, 0.0F);
  const float rest = exponent * -2.12194440e-4F - 0.5F * z + series * z * r;
  float result = exponent * 0.693359375F + (r + rest);
  result = choose(x < kInfinity, result, x);  // infinity and NaN stay
  result = choose(x == 0, -kInfinity, result);
  return choose(x < 0, std::numeric_limits<float>::quiet_NaN(), result);
}

template <int kBytes>
INLINE void rows(const task_args& t, std::int64_t first, std::int64_t last) {
  constexpr bool kWide = kBytes > 16;
  float x_block[kBlock];
  float y_block[kBlock];
  const std::int64_t size = t.rows * t.hidden;
  for (std::int64_t block = first; block < last; ++block) {
    const std::int64_t i = block * kBlock;
    const std::int64_t count = std::min(kBlock, size - i);
    const float* x = widen<kWide>(t.x + i, x_block, count);
    float* out = floats_of(t.y + i, y_block);
    for (std::int64_t j = 0; j < count; ++j) out[j] = log_of(x[j]);
    narrow<kWide>(out, t.y + i, count);
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
  const std::int64_t blocks = (args->rows * args->hidden + kBlock - 1) / kBlock;
  // A few chunks per thread: one that is late does not keep the others waiting.
  const std::int64_t chunks = std::min(blocks, 4 * pool->threads);
  tp_parallel_for(pool, chunks, [&](std::int64_t chunk) {
    run(*args, blocks * chunk / chunks, blocks * (chunk + 1) / chunks);
  });
}
