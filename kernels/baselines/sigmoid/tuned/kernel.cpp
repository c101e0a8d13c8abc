// Block by block, the exponential by a polynomial. Plain loops that the compiler vectorises
// for each level of the architecture; the processor's own is chosen at run time.
#include "task.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include <immintrin.h>

#define INLINE inline __attribute__((always_inline))
#define LEVEL3 __attribute__((target("avx2,fma,f16c,bmi2")))
#define LEVEL4                                              \
  __attribute__((                                           \
      target("avx512f,avx512bw,avx512vl,avx512dq,avx512cd," \
             "avx2,fma,f16c,bmi2,prefer-vector-width=512")))

namespace {
using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::y)>>;
constexpr std::int64_t kBlock = 128;
constexpr std::int64_t kAhead = 4096;    // bytes
constexpr std::int64_t kLong = 1 << 20;  // bytes of a result that go past the caches

// A core alone waits for lines it did not ask for early enough; past the end is no fault.
template <typename E>
INLINE void ask_ahead(const E* from, std::int64_t count) {
  const auto* bytes = reinterpret_cast<const char*>(from);
  const std::int64_t end = count * static_cast<std::int64_t>(sizeof(E));
  for (std::int64_t i = 0; i < end; i += 64) _mm_prefetch(bytes + kAhead + i, _MM_HINT_T1);
}

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

// Where results of a block go as floats: where they belong, or into `buffer`, for put() to
// store.
template <typename E>
INLINE float* floats_of(E* to, float* buffer, bool streams) {
  if constexpr (std::is_same_v<E, float>) return streams ? buffer : to;
  return buffer;
}

template <bool kWide, typename E>
INLINE void narrow(const float* from, E* to, std::int64_t count) {
  if constexpr (kWide && std::is_same_v<E, tp_fp16>) {
    narrow_f16c(from, to, count);
  } else if constexpr (!std::is_same_v<E, float>) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = tp_from_float<E>(from[i]);
  }
}

LEVEL4 inline void stream_avx512(const char* from, char* to) {
  _mm512_stream_si512(reinterpret_cast<__m512i*>(to), _mm512_loadu_si512(from));
}

// Whole lines go past the caches and need not be read first; what is left at both ends does not.
template <int kBytes, typename E>
INLINE void stream(const E* values, E* place, std::int64_t count) {
  const auto* from = reinterpret_cast<const char*>(values);
  auto* to = reinterpret_cast<char*>(place);
  const auto bytes = static_cast<std::size_t>(count) * sizeof(E);
  std::size_t i = std::min(bytes, -reinterpret_cast<std::uintptr_t>(to) % 64);
  if (i != 0) std::memcpy(to, from, i);
  for (; i + 64 <= bytes; i += 64) {
    if constexpr (kBytes == 64) {
      stream_avx512(from + i, to + i);
    } else {
      for (std::size_t j = i; j < i + 64; j += 16) {
        _mm_stream_si128(reinterpret_cast<__m128i*>(to + j),
                         _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + j)));
      }
    }
  }
  if (i != bytes) std::memcpy(to + i, from + i, bytes - i);
}

// Stores a block of results, which floats_of() has placed.
template <int kBytes, typename E>
INLINE void put(const float* from, E* to, std::int64_t count, bool streams) {
  constexpr bool kWide = kBytes > 16;
  if (!streams) {
    narrow<kWide>(from, to, count);
  } else if constexpr (std::is_same_v<E, float>) {
    stream<kBytes>(from, to, count);
  } else {
    alignas(64) E block[kBlock];
    narrow<kWide>(from, block, count);
    stream<kBytes>(block, to, count);
  }
}

// By bits: a conditional that may trap on NaN keeps the compiler from vectorising.
INLINE float choose(bool first, float a, float b) {
  const std::uint32_t mask = -static_cast<std::uint32_t>(first);
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(a) & mask) |
                              (std::bit_cast<std::uint32_t>(b) & ~mask));
}

// e^x of an x not above 0, to about an ulp: e^r 2^n with |r| <= ln 2 / 2, the power of two in
// halves so that what is denormal comes out so. A NaN passes the limit.
INLINE float exp_of(float x) {
  // Adding it rounds to an integer; low bits then hold n and the biases of two exponents.
  constexpr float kRound = 0x1.8p23F + 254;
  x = choose(x < -104.0F, -104.0F, x);
  const float shifted = x * 1.44269504F + kRound;
  const float whole = shifted - kRound;
  const float r = (x - whole * 0.693359375F) - whole * -2.12194440e-4F;
  float series = 1.0F / 5040;
  series = series * r + 1.0F / 720;
  series = series * r + 1.0F / 120;
  series = series * r + 1.0F / 24;
  series = series * r + 1.0F / 6;
  series = series * r + 0.5F;
  series = series * r + 1.0F;
  series = series * r + 1.0F;
  // The shifts push out all else.
  const auto n = std::bit_cast<std::uint32_t>(shifted);
  const std::uint32_t half = n >> 1;
  return series * std::bit_cast<float>(half << 23) * std::bit_cast<float>((n - half) << 23);
}

// By the exponential of the magnitude, which cannot overflow.
INLINE float sigmoid_of(float x) {
  const float small = exp_of(-std::fabs(x));
  return choose(x < 0, small, 1.0F) / (1.0F + small);
}

template <int kBytes>
INLINE void rows(const task_args& t, std::int64_t first, std::int64_t last) {
  constexpr bool kWide = kBytes > 16;
  float x_block[kBlock];
  alignas(64) float y_block[kBlock];
  const std::int64_t size = t.rows * t.hidden;
  const bool streams = size * static_cast<std::int64_t>(sizeof(T)) >= kLong;
  for (std::int64_t block = first; block < last; ++block) {
    const std::int64_t i = block * kBlock;
    const std::int64_t count = std::min(kBlock, size - i);
    ask_ahead(t.x + i, count);
    const float* x = widen<kWide>(t.x + i, x_block, count);
    float* out = floats_of(t.y + i, y_block, streams);
    for (std::int64_t j = 0; j < count; ++j) out[j] = sigmoid_of(x[j]);
    put<kBytes>(out, t.y + i, count, streams);
  }
  if (streams) _mm_sfence();
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
