// fp32. The next head's elements and the lines that its results go to are fetched while one is
// turned; the angles of a position stay in the first-level cache for all its heads. Interleaved
// pairs are swapped in registers.
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

  // Neighbours swapped; each even lane doubled, of the lower or the upper half.
  static INLINE void swap_pairs(Floats& v) {
    Ints order;
    for (std::int64_t lane = 0; lane < kLanes; ++lane) order[lane] = static_cast<int>(lane ^ 1);
    v = __builtin_shuffle(v, order);
  }
  static INLINE void double_lanes(Floats& v, std::int64_t from) {
    Ints order;
    for (std::int64_t lane = 0; lane < kLanes; ++lane) {
      order[lane] = static_cast<int>(from + lane / 2);
    }
    v = __builtin_shuffle(v, order);
  }
  static INLINE void negate_even(Floats& v) {
    Floats sign;
    for (std::int64_t lane = 0; lane < kLanes; ++lane) sign[lane] = lane % 2 == 0 ? -1.0F : 1.0F;
    v *= sign;
  }
};

// So that what is written later is on its way while memory has nothing to do but reads.
INLINE void fetch(const void* at, std::int64_t bytes) {
  for (std::int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(static_cast<const char*>(at) + i);
}

template <int kBytes>
INLINE void turn_halves(const float* x, const float* cosines, const float* sines, float* y,
                        std::int64_t half) {
  using V = Vectors<kBytes>;
  typename V::Floats a, b, cosine, sine;
  std::int64_t i = 0;
  for (; i + V::kLanes <= half; i += V::kLanes) {
    V::load(a, x + i);
    V::load(b, x + half + i);
    V::load(cosine, cosines + i);
    V::load(sine, sines + i);
    V::store(y + i, a * cosine - b * sine);
    V::store(y + half + i, b * cosine + a * sine);
  }
  for (; i < half; ++i) {
    y[i] = x[i] * cosines[i] - x[half + i] * sines[i];
    y[half + i] = x[half + i] * cosines[i] + x[i] * sines[i];
  }
}

template <int kBytes>
INLINE void turn_neighbours(const float* x, const float* cosines, const float* sines, float* y,
                            std::int64_t half) {
  using V = Vectors<kBytes>;
  typename V::Floats v, swapped, cosine, sine, angle;
  std::int64_t i = 0;
  for (; i + V::kLanes <= half; i += V::kLanes) {
    V::load(cosine, cosines + i);
    V::load(sine, sines + i);
    for (std::int64_t part = 0; part < 2; ++part) {
      const std::int64_t at = 2 * i + part * V::kLanes;
      V::load(v, x + at);
      swapped = v;
      V::swap_pairs(swapped);
      angle = sine;
      V::double_lanes(angle, part * V::kLanes / 2);
      V::negate_even(angle);
      swapped *= angle;
      angle = cosine;
      V::double_lanes(angle, part * V::kLanes / 2);
      V::store(y + at, v * angle + swapped);
    }
  }
  for (; i < half; ++i) {
    y[2 * i] = x[2 * i] * cosines[i] - x[2 * i + 1] * sines[i];
    y[2 * i + 1] = x[2 * i + 1] * cosines[i] + x[2 * i] * sines[i];
  }
}

constexpr std::int64_t kAhead = 512;

// Tasks are heads; the angles of the next token are fetched with its first head.
template <int kBytes>
INLINE void rows(const task_args& t, std::int64_t first, std::int64_t last) {
  const std::int64_t half = t.rotary_dim / 2;
  for (std::int64_t task = first; task < last; ++task) {
    const std::int64_t token = task / t.heads;
    const std::int64_t head = task % t.heads;
    const float* cosines = t.cos_sin_cache + t.positions[token] * t.rotary_dim;
    const float* x = t.x + token * t.x_stride + head * t.head_dim;
    float* y = t.y + token * t.y_stride + head * t.head_dim;
    fetch(x + kAhead, t.head_dim * 4);
    fetch(y + kAhead, t.head_dim * 4);
    if (head == 0 && token + 1 < t.tokens) {
      fetch(t.cos_sin_cache + t.positions[token + 1] * t.rotary_dim, t.rotary_dim * 4);
    }
    if (t.interleaved != 0) {
      turn_neighbours<kBytes>(x, cosines, cosines + half, y, half);
    } else {
      turn_halves<kBytes>(x, cosines, cosines + half, y, half);
    }
    std::memcpy(y + t.rotary_dim, x + t.rotary_dim,
                static_cast<std::size_t>(t.head_dim - t.rotary_dim) * sizeof(float));
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
  const std::int64_t chunks = std::min(heads, 4 * pool->threads);
  tp_parallel_for(pool, chunks, [&](std::int64_t chunk) {
    run(*args, heads * chunk / chunks, heads * (chunk + 1) / chunks);
  });
}
