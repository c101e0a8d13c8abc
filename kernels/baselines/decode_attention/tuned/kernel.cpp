// Tasks are the query heads, up to 16, of a key head. Blocks of 64 keys become
// floats once for up to 16 queries; what a query has summed is scaled down when a larger score
// comes.
#include "task.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <immintrin.h>

#define INLINE inline __attribute__((always_inline))
#define LEVEL3 __attribute__((target("avx2,fma,f16c,bmi2")))
#define LEVEL4                                              \
  __attribute__((                                           \
      target("avx512f,avx512bw,avx512vl,avx512dq,avx512cd," \
             "avx2,fma,f16c,bmi2,prefer-vector-width=512")))

namespace {
using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::out)>>;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::int64_t kQueries = 16;
constexpr std::int64_t kKeys = 64;
constexpr std::int64_t kKeySize = 256;
constexpr std::int64_t kValueSize = 256;

// Rows are padded with zeros to whole vectors.
struct Tile {
  alignas(64) float q[kQueries][kKeySize];
  alignas(64) float keys[kKeys][kKeySize];
  alignas(64) float values[kKeys][kValueSize];
  alignas(64) float sums[kQueries][kValueSize];
  float scores[kKeys];
  float top[kQueries];
  float total[kQueries];
};

INLINE std::int64_t padded(std::int64_t size) { return (size + 15) / 16 * 16; }

// The compiler vectorises no conversion of fp16.
LEVEL3 inline void widen_f16c(const tp_fp16* from, float* to, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(half));
  }
  for (; i < count; ++i) to[i] = tp_to_float(from[i]);
}

// `count` elements as floats, then zeros.
template <bool kWide, typename E>
INLINE void widen(const E* from, float* to, std::int64_t count) {
  if constexpr (kWide && std::is_same_v<E, tp_fp16>) {
    widen_f16c(from, to, count);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = tp_to_float(from[i]);
  }
  for (std::int64_t i = count; i < padded(count); ++i) to[i] = 0;
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

template <int kBytes>
struct VectorTypes {
  typedef float Floats __attribute__((vector_size(kBytes)));
};

template <int kBytes>
INLINE float dot(const float* a, const float* b, std::int64_t size) {
  using Floats = typename VectorTypes<kBytes>::Floats;
  constexpr std::int64_t kLanes = kBytes / 4;
  Floats sums[2] = {};
  std::int64_t i = 0;
  for (; i + 2 * kLanes <= size; i += 2 * kLanes) {
    const Floats* x = reinterpret_cast<const Floats*>(a + i);
    const Floats* y = reinterpret_cast<const Floats*>(b + i);
    sums[0] += x[0] * y[0];
    sums[1] += x[1] * y[1];
  }
  for (; i < size; i += kLanes) {
    sums[0] += *reinterpret_cast<const Floats*>(a + i) * *reinterpret_cast<const Floats*>(b + i);
  }
  sums[0] += sums[1];
  float sum = 0;
  for (std::int64_t lane = 0; lane < kLanes; ++lane) sum += sums[0][lane];
  return sum;
}

INLINE void start(Tile& tile, std::int64_t query, std::int64_t value_size) {
  tile.top[query] = -kInfinity;
  tile.total[query] = 0;
  std::memset(tile.sums[query], 0, static_cast<std::size_t>(padded(value_size)) * sizeof(float));
}

// The first `count` keys of the tile for one query.
template <int kBytes>
INLINE void attend(Tile& tile, std::int64_t query, std::int64_t count, std::int64_t key_size,
                   std::int64_t value_size, float scale) {
  using Floats = typename VectorTypes<kBytes>::Floats;
  constexpr std::int64_t kLanes = kBytes / 4;
  float most = tile.top[query];
  for (std::int64_t j = 0; j < count; ++j) {
    const float score = scale * dot<kBytes>(tile.q[query], tile.keys[j], padded(key_size));
    tile.scores[j] = score;
    most = score > most ? score : most;
  }
  const float factor = most > tile.top[query] ? std::exp(tile.top[query] - most) : 1.0F;
  tile.top[query] = most;
  float total = tile.total[query] * factor;
  for (std::int64_t j = 0; j < count; ++j) {
    // What is -infinity weighs nothing beside another one as well.
    const float weight = exp_of(tile.scores[j] - most);
    tile.scores[j] = choose(tile.scores[j] == -kInfinity, 0.0F, weight);
  }
  for (std::int64_t j = 0; j < count; ++j) total += tile.scores[j];
  tile.total[query] = total;
  for (std::int64_t i = 0; i < padded(value_size); i += kLanes) {
    Floats* to = reinterpret_cast<Floats*>(tile.sums[query] + i);
    Floats sums = *to * factor;
    for (std::int64_t j = 0; j < count; ++j) {
      sums += tile.scores[j] * *reinterpret_cast<const Floats*>(tile.values[j] + i);
    }
    *to = sums;
  }
}

INLINE void finish(const Tile& tile, std::int64_t query, std::int64_t size, T* out) {
  for (std::int64_t i = 0; i < size; ++i) {
    out[i] = tp_from_float<T>(tile.sums[query][i] / tile.total[query]);
  }
}

INLINE std::int64_t blocks_of(const task_args& t) {
  return (t.q_heads / t.kv_heads + kQueries - 1) / kQueries;
}

template <int kBytes>
INLINE void task_of(const task_args& t, std::int64_t task) {
  constexpr bool kWide = kBytes > 16;
  const std::int64_t per_key_head = t.q_heads / t.kv_heads;
  const std::int64_t first = task % blocks_of(t) * kQueries;
  const std::int64_t count = std::min(kQueries, per_key_head - first);
  const std::int64_t kv_head = task / blocks_of(t) % t.kv_heads;
  const std::int64_t sequence = task / blocks_of(t) / t.kv_heads;
  const std::int64_t head = kv_head * per_key_head + first;
  const float scale =
      t.scale != 0 ? static_cast<float>(t.scale) : 1.0F / std::sqrt(static_cast<float>(t.head_dim));
  Tile tile;
  for (std::int64_t i = 0; i < count; ++i) {
    widen<kWide>(t.q + sequence * t.q_stride + (head + i) * t.head_dim, tile.q[i], t.head_dim);
    start(tile, i, t.head_dim);
  }
  const std::int64_t length = t.context_lens[sequence];
  for (std::int64_t key = 0; key < length; key += kKeys) {
    const std::int64_t keys = std::min(kKeys, length - key);
    for (std::int64_t j = 0; j < keys; ++j) {
      const std::int64_t block = t.block_tables[sequence * t.pages + (key + j) / t.page_size];
      const std::int64_t position = block * t.page_size + (key + j) % t.page_size;
      const std::int64_t at = (position * t.kv_heads + kv_head) * t.head_dim;
      widen<kWide>(t.key_cache + at, tile.keys[j], t.head_dim);
      widen<kWide>(t.value_cache + at, tile.values[j], t.head_dim);
    }
    for (std::int64_t i = 0; i < count; ++i) {
      attend<kBytes>(tile, i, keys, t.head_dim, t.head_dim, scale);
    }
  }
  for (std::int64_t i = 0; i < count; ++i) {
    finish(tile, i, t.head_dim, t.out + (sequence * t.q_heads + head + i) * t.head_dim);
  }
}

void any_level(const task_args& t, std::int64_t task) { task_of<16>(t, task); }
LEVEL3 void level3(const task_args& t, std::int64_t task) { task_of<32>(t, task); }
LEVEL4 void level4(const task_args& t, std::int64_t task) { task_of<64>(t, task); }

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const task_args& t = *args;
  const auto run = pool->isa_level >= 4 ? level4 : pool->isa_level == 3 ? level3 : any_level;
  const std::int64_t tasks = t.batch * t.kv_heads * blocks_of(t);
  tp_parallel_for(pool, tasks, [&](std::int64_t task) { run(t, task); });
}
