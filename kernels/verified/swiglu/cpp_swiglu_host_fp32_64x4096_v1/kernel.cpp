// fp32. Blocks of both halves and of the results are fetched ahead, three streams at a time, across
// the ends of pages where the processor's own prefetching stops. Results that would fill the
// second-level cache go past it.
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
static_assert(std::is_same_v<std::remove_pointer_t<decltype(task_args::y)>, float>, "for fp32");

// Vectors of a level: 16, 32 or 64 bytes. They are handed on by reference, so that no
// level's calling convention comes into it.
template <int kBytes>
struct VectorTypes {
  typedef float Floats __attribute__((vector_size(kBytes)));
  typedef std::int32_t Ints __attribute__((vector_size(kBytes)));
  typedef float Unaligned __attribute__((vector_size(kBytes), aligned(4), may_alias));
};
template <int kBytes>
struct Vectors {
  using Floats = typename VectorTypes<kBytes>::Floats;
  using Ints = typename VectorTypes<kBytes>::Ints;
  using Unaligned = typename VectorTypes<kBytes>::Unaligned;
  static constexpr std::int64_t kLanes = kBytes / 4;

  static INLINE void load(Floats& v, const float* from) {
    v = *reinterpret_cast<const Unaligned*>(from);
  }
  static INLINE void load(Floats& v, const float* from, std::int64_t count) {
    v = Floats{};
    std::memcpy(&v, from, static_cast<std::size_t>(count) * sizeof(float));
  }
  static INLINE void store(float* to, const Floats& v) { *reinterpret_cast<Unaligned*>(to) = v; }
  static INLINE void store(float* to, const Floats& v, std::int64_t count) {
    std::memcpy(to, &v, static_cast<std::size_t>(count) * sizeof(float));
  }
};

// Past the caches; `to` is aligned to the vector.
INLINE void stream(float* to, const Vectors<16>::Floats& v) {
  _mm_stream_ps(to, *reinterpret_cast<const __m128*>(&v));
}
LEVEL3 inline void stream(float* to, const Vectors<32>::Floats& v) {
  _mm256_stream_ps(to, *reinterpret_cast<const __m256*>(&v));
}
LEVEL4 inline void stream(float* to, const Vectors<64>::Floats& v) {
  _mm512_stream_ps(to, *reinterpret_cast<const __m512*>(&v));
}

// From here on results leave half of a second-level cache to what is read.
constexpr std::int64_t kStreamFrom = 1 << 20;  // bytes

template <int kBytes>
INLINE bool may_stream(const float* to, std::int64_t row_elements, std::int64_t all_elements) {
  return all_elements * 4 >= kStreamFrom && row_elements * 4 % kBytes == 0 &&
         reinterpret_cast<std::uintptr_t>(to) % kBytes == 0;
}

// So that what is written later is on its way while memory has nothing to do but reads.
INLINE void fetch(const void* at, std::int64_t bytes) {
  for (std::int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(static_cast<const char*>(at) + i);
}

// v 2^n, n integral: in halves, so that what is denormal comes out so.
template <typename Floats>
INLINE void scale_by_power(Floats& v, const Floats& n) {
  using Ints = typename VectorTypes<sizeof(Floats)>::Ints;
  const Ints whole = __builtin_convertvector(n, Ints);
  const Ints half = whole >> 1;
  const Ints low = (half + 127) << 23;
  const Ints high = (whole - half + 127) << 23;
  v = v * reinterpret_cast<Floats>(low) * reinterpret_cast<Floats>(high);
}
LEVEL4 inline void scale_by_power(Vectors<64>::Floats& v, const Vectors<64>::Floats& n) {
  v = _mm512_scalef_ps(v, n);
}

// e^x for x that is not positive, to about an ulp: e^r 2^n with |r| <= ln 2 / 2.
template <typename Floats>
INLINE void take_exp(Floats& x) {
  constexpr float kRound = 0x1.8p23F;  // adding it rounds to an integer
  const Floats least = Floats{} - 104.0F;
  x = x < least ? least : x;  // a NaN stays
  const Floats n = (x * 1.44269504F + kRound) - kRound;
  const Floats r = (x - n * 0.693359375F) - n * -2.12194440e-4F;
  Floats series = Floats{} + 1.0F / 5040;
  series = series * r + 1.0F / 720;
  series = series * r + 1.0F / 120;
  series = series * r + 1.0F / 24;
  series = series * r + 1.0F / 6;
  series = series * r + 0.5F;
  series = series * r + 1.0F;
  series = series * r + 1.0F;
  scale_by_power(series, n);
  x = series;
}

template <typename Floats>
INLINE void divide(Floats& v, const Floats& by) {
  v /= by;
}
// By a 14-bit reciprocal of what lies in [1, 2], and a step of Newton's.
LEVEL4 inline void divide(Vectors<64>::Floats& v, const Vectors<64>::Floats& by) {
  const __m512 guess = _mm512_rcp14_ps(by);
  const __m512 off = _mm512_fnmadd_ps(by, guess, _mm512_set1_ps(1.0F));
  v = _mm512_mul_ps(v, _mm512_fmadd_ps(guess, off, guess));
}

constexpr std::int64_t kBlock = 256;
constexpr std::int64_t kAhead = 512;

template <typename Floats>
INLINE void take_swiglu(Floats& gate, const Floats& up) {
  const Floats zero = {};
  const Floats one = zero + 1.0F;
  // Of the magnitude: it cannot overflow.
  Floats small = gate < zero ? gate : -gate;
  take_exp(small);
  Floats sigmoid = gate < zero ? small : one;
  divide(sigmoid, one + small);
  gate = gate * sigmoid * up;
}

template <int kBytes, bool kStreams>
INLINE void block_of(const float* gates, const float* ups, float* y, std::int64_t count) {
  using V = Vectors<kBytes>;
  typename V::Floats gate;
  typename V::Floats up;
  std::int64_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) {
    V::load(gate, gates + i);
    V::load(up, ups + i);
    take_swiglu(gate, up);
    if constexpr (kStreams) {
      stream(y + i, gate);
    } else {
      V::store(y + i, gate);
    }
  }
  if (i < count) {
    V::load(gate, gates + i, count - i);
    V::load(up, ups + i, count - i);
    take_swiglu(gate, up);
    V::store(y + i, gate, count - i);
  }
}

template <int kBytes>
INLINE void rows(const task_args& t, std::int64_t first, std::int64_t last) {
  const bool streams = may_stream<kBytes>(t.y, t.hidden, t.rows * t.hidden);
  const std::int64_t per_row = (t.hidden + kBlock - 1) / kBlock;
  for (std::int64_t block = first; block < last; ++block) {
    const std::int64_t i = block % per_row * kBlock;
    const std::int64_t count = std::min(kBlock, t.hidden - i);
    const float* gates = t.x + block / per_row * 2 * t.hidden + i;
    float* y = t.y + block / per_row * t.hidden + i;
    fetch(gates + kAhead, kBlock * 4);
    fetch(gates + t.hidden + kAhead, kBlock * 4);
    if (streams) {
      block_of<kBytes, true>(gates, gates + t.hidden, y, count);
    } else {
      fetch(y + kAhead, kBlock * 4);
      block_of<kBytes, false>(gates, gates + t.hidden, y, count);
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
  const std::int64_t blocks = args->rows * ((args->hidden + kBlock - 1) / kBlock);
  const std::int64_t chunks = std::min(blocks, 4 * pool->threads);
  tp_parallel_for(pool, chunks, [&](std::int64_t chunk) {
    run(*args, blocks * chunk / chunks, blocks * (chunk + 1) / chunks);
  });
}
