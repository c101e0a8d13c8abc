// Logits become integers in their order, those chosen the least of all; the largest is
// found anew for each choice. Plain loops that the compiler vectorises
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
using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::logits)>>;
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

// By bits: a conditional that may trap on NaN keeps the compiler from vectorising.
INLINE float choose(bool first, float a, float b) {
  const std::uint32_t mask = -static_cast<std::uint32_t>(first);
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(a) & mask) |
                              (std::bit_cast<std::uint32_t>(b) & ~mask));
}

// e^x, to about an ulp: e^r 2^n with |r| <= ln 2 / 2, the power of two in halves so that
// what is denormal comes out so. A NaN passes both limits.
INLINE float exp_of(float x) {
  constexpr float kRound = 0x1.8p23F;  // adding it rounds to an integer, which its low bits hold
  x = choose(x > 89.0F, 89.0F, x);
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
  const std::int32_t n = std::bit_cast<std::int32_t>(shifted) - std::bit_cast<std::int32_t>(kRound);
  const std::int32_t half = n >> 1;
  return series * std::bit_cast<float>((half + 127) << 23) *
         std::bit_cast<float>((n - half + 127) << 23);
}

constexpr std::int64_t kMostExperts = 4096;
constexpr std::int32_t kChosen = -0x7FFFFFFF - 1;

// An integer in the order of the logits; a NaN is the least that is not chosen yet.
INLINE std::int32_t key_of(float logit) {
  const auto bits = std::bit_cast<std::int32_t>(logit);
  const std::int32_t ordered = bits < 0 ? bits ^ 0x7FFFFFFF : bits;
  return (bits & 0x7FFFFFFF) > 0x7F800000 ? kChosen + 1 : ordered;
}

INLINE std::int32_t largest_of(const std::int32_t* keys, std::int64_t count) {
  std::int32_t largest = kChosen;
  for (std::int64_t i = 0; i < count; ++i) largest = keys[i] > largest ? keys[i] : largest;
  return largest;
}

INLINE std::int64_t find(const std::int32_t* keys, std::int64_t count, std::int32_t key) {
  std::int64_t i = 0;
  while (i + 1 < count && keys[i] != key) ++i;
  return i;
}

template <bool kWide>
INLINE float sum_of_powers(const T* logits, std::int64_t count, float top) {
  float block[kBlock];
  float powers[kBlock];
  float sum = 0;
  for (std::int64_t i = 0; i < count; i += kBlock) {
    const std::int64_t part = std::min(kBlock, count - i);
    const float* values = widen<kWide>(logits + i, block, part);
    for (std::int64_t j = 0; j < part; ++j) powers[j] = exp_of(values[j] - top);
    for (std::int64_t j = 0; j < part; ++j) sum += powers[j];
  }
  return sum;
}

template <int kBytes>
INLINE void rows(const task_args& t, std::int64_t first, std::int64_t last) {
  constexpr bool kWide = kBytes > 16;
  std::int32_t keys[kMostExperts];
  for (std::int64_t token = first; token < last; ++token) {
    const T* logits = t.logits + token * t.logits_stride;
    std::int32_t* indices = t.indices + token * t.topk;
    float* weights = t.weights + token * t.topk;
    for (std::int64_t i = 0; i < t.experts; ++i) keys[i] = key_of(tp_to_float(logits[i]));
    for (std::int64_t i = 0; i < t.topk; ++i) {
      const std::int64_t best = find(keys, t.experts, largest_of(keys, t.experts));
      keys[best] = kChosen;
      indices[i] = static_cast<std::int32_t>(best);
      weights[i] = tp_to_float(logits[best]);
    }
    const float top = weights[0];
    float chosen = 0;
    for (std::int64_t i = 0; i < t.topk; ++i) {
      weights[i] = exp_of(weights[i] - top);
      chosen += weights[i];
    }
    const float total = t.renormalize != 0 ? chosen : sum_of_powers<kWide>(logits, t.experts, top);
    for (std::int64_t i = 0; i < t.topk; ++i) weights[i] /= total;
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
  const std::int64_t rows = args->tokens;
  // A few chunks per thread: one that is late does not keep the others waiting.
  const std::int64_t chunks = std::min(rows, 4 * pool->threads);
  tp_parallel_for(pool, chunks, [&](std::int64_t chunk) {
    run(*args, rows * chunk / chunks, rows * (chunk + 1) / chunks);
  });
}
