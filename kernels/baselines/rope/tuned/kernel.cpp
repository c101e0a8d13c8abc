// The angles of a position become floats once for all its heads; a head is turned at a time. Plain
// loops that the compiler vectorises for each level of the architecture; the processor's own is
// chosen at run time.
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

constexpr std::int64_t kMost = 512;  // of a head

INLINE void turn_halves(const float* __restrict a, const float* __restrict b,
                        const float* __restrict cosines, const float* __restrict sines,
                        float* __restrict to_a, float* __restrict to_b, std::int64_t half) {
  for (std::int64_t i = 0; i < half; ++i) {
    to_a[i] = a[i] * cosines[i] - b[i] * sines[i];
    to_b[i] = b[i] * cosines[i] + a[i] * sines[i];
  }
}

INLINE void turn_neighbours(const float* __restrict x, const float* __restrict cosines,
                            const float* __restrict sines, float* __restrict to,
                            std::int64_t half) {
  for (std::int64_t i = 0; i < half; ++i) {
    to[2 * i] = x[2 * i] * cosines[i] - x[2 * i + 1] * sines[i];
    to[2 * i + 1] = x[2 * i + 1] * cosines[i] + x[2 * i] * sines[i];
  }
}

template <int kBytes>
INLINE void rows(const task_args& t, std::int64_t first, std::int64_t last) {
  constexpr bool kWide = kBytes > 16;
  float angles_block[kMost];
  float x_block[kMost];
  float y_block[kMost];
  const std::int64_t half = t.rotary_dim / 2;
  const float* angles = nullptr;
  for (std::int64_t task = first; task < last; ++task) {
    const std::int64_t token = task / t.heads;
    const std::int64_t head = task % t.heads;
    if (angles == nullptr || head == 0) {
      const T* at = t.cos_sin_cache + t.positions[token] * t.rotary_dim;
      angles = widen<kWide>(at, angles_block, t.rotary_dim);
    }
    const T* x = t.x + token * t.x_stride + head * t.head_dim;
    T* y = t.y + token * t.y_stride + head * t.head_dim;
    const float* values = widen<kWide>(x, x_block, t.rotary_dim);
    float* out = floats_of(y, y_block);
    if (t.interleaved != 0) {
      turn_neighbours(values, angles, angles + half, out, half);
    } else {
      turn_halves(values, values + half, angles, angles + half, out, out + half, half);
    }
    narrow<kWide>(out, y, t.rotary_dim);
    std::memcpy(y + t.rotary_dim, x + t.rotary_dim,
                static_cast<std::size_t>(t.head_dim - t.rotary_dim) * sizeof(T));
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
  const std::int64_t heads = args->tokens * args->heads;
  // A few chunks per thread: one that is late does not keep the others waiting.
  const std::int64_t chunks = std::min(heads, 4 * pool->threads);
  tp_parallel_for(pool, chunks, [&](std::int64_t chunk) {
    run(*args, heads * chunk / chunks, heads * (chunk + 1) / chunks);
  });
}
