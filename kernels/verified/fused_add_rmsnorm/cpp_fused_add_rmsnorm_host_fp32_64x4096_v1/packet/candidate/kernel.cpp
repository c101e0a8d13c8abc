// fp32. While the sums of a row are stored and squared, the lines that its results go to are
// fetched as well: else they would be waited for in the second pass, when nothing is left to read.
// Results that would fill the second-level cache go past it.
#include "task.h"

#include <algorithm>
#include <cmath>

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
  static INLINE float sum_of(const Floats& v) {
    float sum = 0;
    for (std::int64_t lane = 0; lane < kLanes; ++lane) sum += v[lane];
    return sum;
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

// residual += x; the squares of that.
template <int kBytes>
INLINE float add_row(const float* x, float* residual, std::int64_t hidden, const float* y,
                     bool streams) {
  using V = Vectors<kBytes>;
  constexpr std::int64_t kStep = 4 * V::kLanes;
  typename V::Floats sums[4] = {};
  typename V::Floats v;
  typename V::Floats r;
  std::int64_t i = 0;
  for (; i + kStep <= hidden; i += kStep) {
    if (!streams) fetch(y + i, kStep * 4);
    for (int part = 0; part < 4; ++part) {
      V::load(v, x + i + part * V::kLanes);
      V::load(r, residual + i + part * V::kLanes);
      r += v;
      V::store(residual + i + part * V::kLanes, r);
      sums[part] += r * r;
    }
  }
  for (; i < hidden; i += V::kLanes) {
    const std::int64_t count = std::min(V::kLanes, hidden - i);
    V::load(v, x + i, count);
    V::load(r, residual + i, count);
    r += v;
    V::store(residual + i, r, count);
    sums[0] += r * r;
  }
  return V::sum_of((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

template <int kBytes, bool kStreams>
INLINE void scale_row(const float* x, const float* weight, float scale, float* y,
                      std::int64_t hidden) {
  using V = Vectors<kBytes>;
  std::int64_t i = 0;
  typename V::Floats v;
  typename V::Floats w;
  for (; i + V::kLanes <= hidden; i += V::kLanes) {
    V::load(v, x + i);
    V::load(w, weight + i);
    const typename V::Floats scaled = v * scale * w;
    if constexpr (kStreams) {
      stream(y + i, scaled);
    } else {
      V::store(y + i, scaled);
    }
  }
  if (i < hidden) {
    V::load(v, x + i, hidden - i);
    V::load(w, weight + i, hidden - i);
    V::store(y + i, v * scale * w, hidden - i);
  }
}

template <int kBytes>
INLINE void rows(const task_args& t, std::int64_t first, std::int64_t last) {
  const bool streams = may_stream<kBytes>(t.y, t.hidden, t.rows * t.hidden);
  for (std::int64_t row = first; row < last; ++row) {
    float* residual = t.residual + row * t.hidden;
    float* y = t.y + row * t.hidden;
    const float squares = add_row<kBytes>(t.x + row * t.x_stride, residual, t.hidden, y, streams);
    const float mean = squares / static_cast<float>(t.hidden);
    const float scale = 1.0F / std::sqrt(mean + static_cast<float>(t.eps));
    if (streams) {
      scale_row<kBytes, true>(residual, t.weight, scale, y, t.hidden);
    } else {
      scale_row<kBytes, false>(residual, t.weight, scale, y, t.hidden);
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
  const std::int64_t chunks = std::min(rows, 4 * pool->threads);
  tp_parallel_for(pool, chunks, [&](std::int64_t chunk) {
    run(*args, rows * chunk / chunks, rows * (chunk + 1) / chunks);
  });
}
