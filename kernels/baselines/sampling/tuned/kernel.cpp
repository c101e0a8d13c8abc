// No sort: logits become integers in their order, and the thresholds of top-k and top-p are found
// bit by bit, from counts and masses of what lies above. Loops that the compiler vectorises for
// each level of the architecture; the processor's own is chosen at run time.
#include "task.h"

#include <algorithm>
#include <bit>
#include <cmath>

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
constexpr std::int64_t kLanes = 64;

// By bits: a conditional that may trap on NaN keeps the compiler from vectorising.
INLINE float choose(bool first, float a, float b) {
  const std::uint32_t mask = -static_cast<std::uint32_t>(first);
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(a) & mask) |
                              (std::bit_cast<std::uint32_t>(b) & ~mask));
}

// e^x, to about an ulp: e^r 2^n with |r| <= ln 2 / 2, the power of two in halves so that what is
// denormal comes out so. A NaN passes both limits.
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

// A row: keys in the order of the logits, which are the least for NaN, and e^(logit - top).
struct Row {
  std::uint32_t* keys;
  float* weights;
  std::int64_t vocab;
};

INLINE std::uint32_t key_of(float logit) {
  const auto bits = std::bit_cast<std::uint32_t>(logit);
  const std::uint32_t ascending = (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
  return (bits & 0x7FFFFFFFU) > 0x7F800000U ? 0U : ascending;
}

INLINE std::int64_t count_from(const Row& row, std::uint32_t key) {
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < row.vocab; ++i) count += row.keys[i] >= key ? 1 : 0;
  return count;
}

// Blocks are summed in lanes, the sums of blocks in double.
INLINE double mass_from(const Row& row, std::uint32_t key) {
  double mass = 0;
  for (std::int64_t i = 0; i < row.vocab; i += 16 * kLanes) {
    const std::int64_t end = std::min(row.vocab, i + 16 * kLanes);
    float lanes[kLanes] = {};
    for (std::int64_t j = i; j < end; j += kLanes) {
      for (std::int64_t lane = 0; lane < std::min(kLanes, end - j); ++lane) {
        lanes[lane] += choose(row.keys[j + lane] >= key, row.weights[j + lane], 0.0F);
      }
    }
    for (const float lane : lanes) mass += lane;
  }
  return mass;
}

// The largest key so that `measure` of all keys from it on reaches `needed`.
template <typename Measure>
INLINE std::uint32_t threshold_of(double needed, const Measure& measure) {
  std::uint32_t threshold = 0;
  for (std::uint32_t bit = 0x80000000U; bit != 0; bit >>= 1) {
    if (measure(threshold | bit) >= needed) threshold |= bit;
  }
  return threshold;
}

INLINE std::int64_t draw(const Row& row, std::int64_t top_k, double top_p, double uniform) {
  std::uint32_t most = 0;
  for (std::int64_t i = 0; i < row.vocab; ++i) most = std::max(most, row.keys[i]);
  std::uint32_t threshold = 0;
  if (top_k < row.vocab) {
    threshold = threshold_of(static_cast<double>(top_k), [&](std::uint32_t key) INLINE_LAMBDA {
      return static_cast<double>(count_from(row, key));
    });
  }
  if (top_p < 1) {
    const std::uint32_t by_count = threshold;
    const double needed = top_p * mass_from(row, by_count);
    threshold = threshold_of(needed, [&](std::uint32_t key) INLINE_LAMBDA {
      return mass_from(row, std::max(key, by_count));
    });
    threshold = std::max(threshold, by_count);
  }
  // One token at the least, where nothing at all is needed.
  threshold = std::min(threshold, most);
  const double mark = uniform * mass_from(row, threshold);
  std::int64_t drawn = 0;
  double below = 0;
  for (std::int64_t id = 0; id < row.vocab; ++id) {
    if (row.keys[id] < threshold || row.weights[id] == 0) continue;
    drawn = id;
    below += row.weights[id];
    if (below > mark) break;
  }
  return drawn;
}

INLINE void row_of(const task_args& t, std::int64_t index) {
  const T* logits = t.logits + index * t.logits_stride;
  auto* keys = static_cast<std::uint32_t*>(t.workspace) + 2 * index * t.vocab;
  const Row row = {keys, reinterpret_cast<float*>(keys + t.vocab), t.vocab};
  for (std::int64_t i = 0; i < t.vocab; ++i) {
    row.weights[i] = tp_to_float(logits[i]);
    keys[i] = key_of(row.weights[i]);
  }
  float top = row.weights[0];
  for (std::int64_t i = 1; i < t.vocab; ++i) top = std::max(top, row.weights[i]);
  for (std::int64_t i = 0; i < t.vocab; ++i) row.weights[i] = exp_of(row.weights[i] - top);
  const std::int64_t top_k = t.top_k[index] == 0 ? t.vocab : t.top_k[index];
  t.token[index] = static_cast<std::int32_t>(draw(row, top_k, t.top_p[index], t.uniform[index]));
}

void any_level(const task_args& t, std::int64_t index) { row_of(t, index); }
LEVEL3 void level3(const task_args& t, std::int64_t index) { row_of(t, index); }
LEVEL4 void level4(const task_args& t, std::int64_t index) { row_of(t, index); }

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const auto run = pool->isa_level >= 4 ? level4 : pool->isa_level == 3 ? level3 : any_level;
  tp_parallel_for(pool, args->rows, [&](std::int64_t index) { run(*args, index); });
}
