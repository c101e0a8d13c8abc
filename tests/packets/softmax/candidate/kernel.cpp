// fp32. While a row is read for its largest value, the lines that its results go to are fetched as
// well: else they would be waited for in the second pass, when nothing is left to read. The
// exponentials are stored in y and scaled there.
#include "task.h"

#include <algorithm>
#include <limits>

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

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// NaNs left out.
template <int kBytes>
INLINE float most_of(const float* x, std::int64_t count, const float* y) {
  using V = Vectors<kBytes>;
  constexpr std::int64_t kStep = 4 * V::kLanes;
  typename V::Floats most[4];
  for (auto& one : most) one = typename V::Floats{} - kInfinity;
  typename V::Floats v;
  std::int64_t i = 0;
  for (; i + kStep <= count; i += kStep) {
    fetch(y + i, kStep * 4);
    for (int part = 0; part < 4; ++part) {
      V::load(v, x + i + part * V::kLanes);
      most[part] = v > most[part] ? v : most[part];
    }
  }
  float largest = -kInfinity;
  for (; i < count; ++i) largest = x[i] > largest ? x[i] : largest;
  for (const auto& one : most) {
    for (std::int64_t lane = 0; lane < V::kLanes; ++lane) {
      largest = one[lane] > largest ? one[lane] : largest;
    }
  }
  return largest;
}

// y = e^(x - shift); their sum.
template <int kBytes>
INLINE float exponentials_of(const float* x, float shift, float* y, std::int64_t count) {
  using V = Vectors<kBytes>;
  typename V::Floats sums = {};
  typename V::Floats v;
  std::int64_t i = 0;
  for (; i + V::kLanes <= count; i += V::kLanes) {
    V::load(v, x + i);
    v -= shift;
    take_exp(v);
    V::store(y + i, v);
    sums += v;
  }
  float sum = V::sum_of(sums);
  if (i < count) {
    V::load(v, x + i, count - i);
    v -= shift;
    take_exp(v);
    V::store(y + i, v, count - i);
    for (std::int64_t lane = 0; lane < count - i; ++lane) sum += v[lane];
  }
  return sum;
}

template <int kBytes>
INLINE void rows(const task_args& t, std::int64_t first, std::int64_t last) {
  using V = Vectors<kBytes>;
  for (std::int64_t row = first; row < last; ++row) {
    const float* x = t.x + row * t.x_stride;
    float* y = t.y + row * t.y_stride;
    const float most = most_of<kBytes>(x, t.hidden, y);
    const float factor = 1.0F / exponentials_of<kBytes>(x, most, y, t.hidden);
    typename V::Floats v;
    std::int64_t i = 0;
    for (; i + V::kLanes <= t.hidden; i += V::kLanes) {
      V::load(v, y + i);
      V::store(y + i, v * factor);
    }
    for (; i < t.hidden; ++i) y[i] *= factor;
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
