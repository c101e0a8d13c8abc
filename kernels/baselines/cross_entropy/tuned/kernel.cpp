// The largest logit, then the sum of the exponentials, all in many lanes. Plain loops that the
// compiler vectorises for each level of the architecture; the processor's own is chosen at run
// time.
#include "task.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <immintrin.h>

#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))
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

template <int kBytes>
struct VectorTypes {
  typedef float Floats __attribute__((vector_size(kBytes)));
  typedef float Unaligned __attribute__((vector_size(kBytes), aligned(4), may_alias));
};

// A reduction along a row, in so many lanes that none waits for the one before. A step
// takes an element, or a vector of them, into what it has.
template <int kBytes>
struct Lanes {
  using Floats = typename VectorTypes<kBytes>::Floats;
  using Unaligned = typename VectorTypes<kBytes>::Unaligned;
  static constexpr std::int64_t kLanes = kBytes / 4;
  Floats vectors[4];
  float rest;

  INLINE explicit Lanes(float start) : rest(start) {
    for (Floats& vector : vectors) vector = Floats{} + start;
  }

  template <typename Step>
  INLINE void add(const float* x, std::int64_t count, const Step& step) {
    std::int64_t i = 0;
    for (; i + 4 * kLanes <= count; i += 4 * kLanes) {
      for (std::int64_t part = 0; part < 4; ++part) {
        const Floats v = *reinterpret_cast<const Unaligned*>(x + i + part * kLanes);
        step(vectors[part], v);
      }
    }
    for (; i + kLanes <= count; i += kLanes) {
      const Floats v = *reinterpret_cast<const Unaligned*>(x + i);
      step(vectors[0], v);
    }
    for (; i < count; ++i) step(rest, x[i]);
  }

  template <typename Step>
  INLINE float join(const Step& step) {
    step(vectors[0], vectors[1]);
    step(vectors[2], vectors[3]);
    step(vectors[0], vectors[2]);
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      const float v = vectors[0][lane];
      step(rest, v);
    }
    return rest;
  }
};

// each(i, block of x as floats, count) along a row.
template <bool kWide, typename E, typename Each>
INLINE void each_block(const E* x, std::int64_t size, float* buffer, const Each& each) {
  for (std::int64_t i = 0; i < size; i += kBlock) {
    const std::int64_t count = std::min(kBlock, size - i);
    each(i, widen<kWide>(x + i, buffer, count), count);
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

constexpr std::int64_t kIgnored = -100;

struct Plus {
  template <typename Floats>
  INLINE void operator()(Floats& sum, const Floats& x) const {
    sum += x;
  }
};

struct Larger {
  template <typename Floats>
  INLINE void operator()(Floats& most, const Floats& x) const {
    most = x > most ? x : most;
  }
};

template <int kBytes>
INLINE void rows(const task_args& t, std::int64_t first, std::int64_t last) {
  constexpr bool kWide = kBytes > 16;
  float x_block[kBlock];
  float power_block[kBlock];
  for (std::int64_t row = first; row < last; ++row) {
    const std::int64_t target = t.targets[row];
    t.loss[row] = 0;
    if (target == kIgnored) continue;
    const T* x = t.logits + row * t.logits_stride;
    Lanes<kBytes> most(-std::numeric_limits<float>::infinity());
    each_block<kWide>(x, t.vocab, x_block,
                      [&](std::int64_t, const float* values, std::int64_t count)
                          INLINE_LAMBDA { most.add(values, count, Larger()); });
    const float largest = most.join(Larger());
    Lanes<kBytes> sums(0);
    each_block<kWide>(x, t.vocab, x_block,
                      [&](std::int64_t, const float* values, std::int64_t count) INLINE_LAMBDA {
                        for (std::int64_t j = 0; j < count; ++j)
                          power_block[j] = exp_of(values[j] - largest);
                        sums.add(power_block, count, Plus());
                      });
    t.loss[row] = std::log(sums.join(Plus())) + (largest - tp_to_float(x[target]));
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
