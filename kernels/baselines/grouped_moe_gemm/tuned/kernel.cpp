// Tiles of 32 tokens of an expert and 16 columns, converted to floats by 512 steps of k; a
// micro-kernel keeps 4 x 4 (AVX-512) or 2 x 4 vectors of partial sums along k in registers.
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
constexpr std::int64_t kTokens = 32;
constexpr std::int64_t kColumns = 16;
constexpr std::int64_t kDepth = 512;

struct Tile {
  float sums[kTokens][kColumns];
  alignas(64) float x[kTokens][kDepth];
  alignas(64) float w[kColumns][kDepth];
};

template <int kBytes>
struct VectorTypes {
  typedef float Floats __attribute__((vector_size(kBytes)));
};

// The compiler vectorises no conversion of fp16.
LEVEL3 inline void widen_f16c(const tp_fp16* from, float* to, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(half));
  }
  for (; i < count; ++i) to[i] = tp_to_float(from[i]);
}

// `count` elements as floats, then zeros up to `padded`.
template <bool kWide, typename E>
INLINE void widen(const E* from, float* to, std::int64_t count, std::int64_t padded) {
  if constexpr (kWide && std::is_same_v<E, tp_fp16>) {
    widen_f16c(from, to, count);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = tp_to_float(from[i]);
  }
  for (std::int64_t i = count; i < padded; ++i) to[i] = 0;
}

template <int kBytes, int kHeight>
INLINE void multiply(Tile& tile, std::int64_t token, std::int64_t depth) {
  using Floats = typename VectorTypes<kBytes>::Floats;
  constexpr std::int64_t kLanes = kBytes / 4;
  for (std::int64_t column = 0; column < kColumns; column += 4) {
    Floats sums[kHeight][4] = {};
    for (std::int64_t i = 0; i < depth; i += kLanes) {
      Floats x[kHeight];
      for (int r = 0; r < kHeight; ++r) {
        x[r] = *reinterpret_cast<const Floats*>(&tile.x[token + r][i]);
      }
#pragma GCC unroll 4
      for (int c = 0; c < 4; ++c) {
        const Floats w = *reinterpret_cast<const Floats*>(&tile.w[column + c][i]);
#pragma GCC unroll 4
        for (int r = 0; r < kHeight; ++r) sums[r][c] += x[r] * w;
      }
    }
    for (int r = 0; r < kHeight; ++r) {
      for (int c = 0; c < 4; ++c) {
        const Floats partial = sums[r][c];
        for (std::int64_t lane = 0; lane < kLanes; ++lane) {
          tile.sums[token + r][column + c] += partial[lane];
        }
      }
    }
  }
}

// Tokens `first` to `last` of an expert, columns from `column` on.
template <int kBytes>
INLINE void tile_of(const task_args& t, std::int64_t expert, std::int64_t first, std::int64_t last,
                    std::int64_t column) {
  constexpr bool kWide = kBytes > 16;
  constexpr int kHeight = kBytes == 64 ? 4 : 2;
  const std::int64_t tokens = last - first;
  const std::int64_t width = std::min(kColumns, t.n - column);
  Tile tile;
  std::memset(tile.sums, 0, sizeof tile.sums);
  for (std::int64_t start = 0; start < t.k; start += kDepth) {
    const std::int64_t depth = std::min(kDepth, t.k - start);
    const std::int64_t padded = (depth + 15) / 16 * 16;
    for (std::int64_t r = 0; r < tokens; ++r) {
      widen<kWide>(t.x + (first + r) * t.x_stride + start, tile.x[r], depth, padded);
    }
    for (std::int64_t c = 0; c < kColumns; ++c) {
      const T* w = t.w + (expert * t.n + column + std::min(c, width - 1)) * t.k + start;
      widen<kWide>(w, tile.w[c], depth, padded);
    }
    std::int64_t r = 0;
    for (; r + kHeight <= tokens; r += kHeight) multiply<kBytes, kHeight>(tile, r, padded);
    for (; r < tokens; ++r) multiply<kBytes, 1>(tile, r, padded);
  }
  for (std::int64_t r = 0; r < tokens; ++r) {
    T* y = t.y + (first + r) * t.y_stride + column;
    for (std::int64_t c = 0; c < width; ++c) y[c] = tp_from_float<T>(tile.sums[r][c]);
  }
}

template <int kBytes>
INLINE void columns_of(const task_args& t, std::int64_t expert, std::int64_t column) {
  const std::int64_t last = t.offsets[expert + 1];
  for (std::int64_t first = t.offsets[expert]; first < last; first += kTokens) {
    tile_of<kBytes>(t, expert, first, std::min(last, first + kTokens), column);
  }
}

void any_level(const task_args& t, std::int64_t expert, std::int64_t column) {
  columns_of<16>(t, expert, column);
}
LEVEL3 void level3(const task_args& t, std::int64_t expert, std::int64_t column) {
  columns_of<32>(t, expert, column);
}
LEVEL4 void level4(const task_args& t, std::int64_t expert, std::int64_t column) {
  columns_of<64>(t, expert, column);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const auto run = pool->isa_level >= 4 ? level4 : pool->isa_level == 3 ? level3 : any_level;
  const std::int64_t across = (args->n + kColumns - 1) / kColumns;
  tp_parallel_for(pool, args->experts * across,
                  [&](std::int64_t task) { run(*args, task / across, task % across * kColumns); });
}
