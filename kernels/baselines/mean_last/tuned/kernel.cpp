// Each row summed in many lanes. Plain loops that the compiler vectorises
// for each level of the architecture; the processor's own is chosen at run time.
#include "task.h"

#include <algorithm>

#include <immintrin.h>

#define INLINE inline __attribute__((always_inline))
#define INLINE_LAMBDA __attribute__((always_inline))
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

struct Plus {
  template <typename Floats>
  INLINE void operator()(Floats& sum, const Floats& x) const {
    sum += x;
  }
};

template <int kBytes>
INLINE void rows(const task_args& t, std::int64_t first, std::int64_t last) {
  constexpr bool kWide = kBytes > 16;
  float x_block[kBlock];
  for (std::int64_t row = first; row < last; ++row) {
    Lanes<kBytes> sums(0);
    each_block<kWide>(t.x + row * t.x_stride, t.hidden, x_block,
                      [&](std::int64_t, const float* values, std::int64_t count)
                          INLINE_LAMBDA { sums.add(values, count, Plus()); });
    const float total = sums.join(Plus());
    t.y[row] = tp_from_float<T>(total / static_cast<float>(t.hidden));
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
