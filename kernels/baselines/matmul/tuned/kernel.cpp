// Blocks of 96 rows and up to 8 x 32 columns of y: a and b are packed as floats by 256 steps of k,
// and a micro-kernel keeps 12 x 32 sums (AVX-512) or 6 x 16 (AVX2) in registers. A few rows alone
// are summed up while b is read once, as it lies. Elsewhere loops that the compiler vectorises.
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
using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::y)>>;
constexpr std::int64_t kRows = 96;
constexpr std::int64_t kColumns = 32;
constexpr std::int64_t kDepth = 256;
constexpr std::int64_t kMostTiles = 8;     // of kColumns, in a block
constexpr std::int64_t kFewRows = 8;       // that packing does not pay for
constexpr std::int64_t kStripSums = 4096;  // of a strip of few rows: they stay in the first cache
constexpr std::int64_t kLeastStrip = 64;   // columns
constexpr std::int64_t kSteps = 4;         // of k, between two looks at a strip's sums

// A block of y while it is summed up, and what it is summed from.
struct Block {
  float sums[kMostTiles][kRows][kColumns];
  alignas(64) float b[kDepth][kColumns];
  float a[kRows][kDepth];
};
using Tile = float[kColumns];  // rows of a tile of b

// The compiler vectorises no conversion of fp16.
LEVEL3 inline void widen_f16c(const tp_fp16* from, float* to, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(half));
  }
  for (; i < count; ++i) to[i] = tp_to_float(from[i]);
}

template <bool kWide, typename E>
INLINE void widen(const E* from, float* to, std::int64_t count) {
  if constexpr (kWide && std::is_same_v<E, tp_fp16>) {
    widen_f16c(from, to, count);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = tp_to_float(from[i]);
  }
}

// The columns beyond the edge are summed up, too, and never stored: they are zeros.
template <bool kWide>
INLINE void pack(const T* from, std::int64_t stride, std::int64_t depth, std::int64_t columns,
                 Tile* to) {
  if (columns == kColumns) {
    for (std::int64_t i = 0; i < depth; ++i) widen<kWide>(from + i * stride, to[i], kColumns);
    return;
  }
  for (std::int64_t i = 0; i < depth; ++i) {
    widen<kWide>(from + i * stride, to[i], columns);
    std::fill(to[i] + columns, to[i] + kColumns, 0.0F);
  }
}

// sums[r][...] += a[r][i] b[i][...] for kHeight rows; `a` has a pitch of kDepth.
template <int kHeight>
LEVEL4 void multiply_avx512(const float* a, const Tile* b, std::int64_t depth,
                            float (*sums)[kColumns]) {
  __m512 left[kHeight];
  __m512 right[kHeight];
  for (int r = 0; r < kHeight; ++r) {
    left[r] = _mm512_loadu_ps(sums[r]);
    right[r] = _mm512_loadu_ps(sums[r] + 16);
  }
  for (std::int64_t i = 0; i < depth; ++i) {
    const __m512 b_left = _mm512_load_ps(b[i]);
    const __m512 b_right = _mm512_load_ps(b[i] + 16);
#pragma GCC unroll 12
    for (int r = 0; r < kHeight; ++r) {
      const __m512 factor = _mm512_set1_ps(a[r * kDepth + i]);
      left[r] = _mm512_fmadd_ps(factor, b_left, left[r]);
      right[r] = _mm512_fmadd_ps(factor, b_right, right[r]);
    }
  }
  for (int r = 0; r < kHeight; ++r) {
    _mm512_storeu_ps(sums[r], left[r]);
    _mm512_storeu_ps(sums[r] + 16, right[r]);
  }
}

template <int kHeight>
LEVEL3 void multiply_avx2(const float* a, const Tile* b, std::int64_t depth,
                          float (*sums)[kColumns]) {
  for (int half = 0; half < kColumns; half += 16) {
    __m256 left[kHeight];
    __m256 right[kHeight];
    for (int r = 0; r < kHeight; ++r) {
      left[r] = _mm256_loadu_ps(sums[r] + half);
      right[r] = _mm256_loadu_ps(sums[r] + half + 8);
    }
    for (std::int64_t i = 0; i < depth; ++i) {
      const __m256 b_left = _mm256_load_ps(b[i] + half);
      const __m256 b_right = _mm256_load_ps(b[i] + half + 8);
#pragma GCC unroll 6
      for (int r = 0; r < kHeight; ++r) {
        const __m256 factor = _mm256_set1_ps(a[r * kDepth + i]);
        left[r] = _mm256_fmadd_ps(factor, b_left, left[r]);
        right[r] = _mm256_fmadd_ps(factor, b_right, right[r]);
      }
    }
    for (int r = 0; r < kHeight; ++r) {
      _mm256_storeu_ps(sums[r] + half, left[r]);
      _mm256_storeu_ps(sums[r] + half + 8, right[r]);
    }
  }
}

struct AnyLevel {
  static constexpr bool kWide = false;
  static void multiply(const Block& block, std::int64_t rows, std::int64_t depth, Tile* sums) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t i = 0; i < depth; ++i) {
        for (std::int64_t j = 0; j < kColumns; ++j) sums[r][j] += block.a[r][i] * block.b[i][j];
      }
    }
  }
};

struct Level3 {
  static constexpr bool kWide = true;
  static void multiply(const Block& block, std::int64_t rows, std::int64_t depth, Tile* sums) {
    std::int64_t r = 0;
    for (; r + 6 <= rows; r += 6) multiply_avx2<6>(block.a[r], block.b, depth, sums + r);
    for (; r + 2 <= rows; r += 2) multiply_avx2<2>(block.a[r], block.b, depth, sums + r);
    for (; r < rows; ++r) multiply_avx2<1>(block.a[r], block.b, depth, sums + r);
  }
};

struct Level4 {
  static constexpr bool kWide = true;
  static void multiply(const Block& block, std::int64_t rows, std::int64_t depth, Tile* sums) {
    std::int64_t r = 0;
    for (; r + 12 <= rows; r += 12) multiply_avx512<12>(block.a[r], block.b, depth, sums + r);
    for (; r + 4 <= rows; r += 4) multiply_avx512<4>(block.a[r], block.b, depth, sums + r);
    for (; r < rows; ++r) multiply_avx512<1>(block.a[r], block.b, depth, sums + r);
  }
};

float activated(float x, int activation) {
  if (activation == 1) return x < 0 ? 0.0F : x;
  if (activation == 2) {
    return 0.5F * x * (1.0F + std::tanh(0.797884561F * (x + 0.044715F * x * x * x)));
  }
  if (activation == 3) return x / (1.0F + std::exp(-x));
  return x;
}

void store(const task_args& t, const float* sums, std::int64_t row, std::int64_t column,
           std::int64_t width) {
  const auto activation = static_cast<int>(t.activation);
  T* y = t.y + row * t.y_stride + column;
  // The compiler vectorises this one.
  if (t.bias == 0 && activation == 0) {
    for (std::int64_t j = 0; j < width; ++j) y[j] = tp_from_float<T>(sums[j]);
    return;
  }
  for (std::int64_t j = 0; j < width; ++j) {
    float sum = sums[j];
    if (t.bias != 0) sum += tp_to_float(t.bias_values[column + j]);
    y[j] = tp_from_float<T>(activation == 0 ? sum : activated(sum, activation));
  }
}

// The cut of y into tasks, and that of a strip of few rows.
struct Cut {
  std::int64_t rows, columns;
};

template <typename Level>
void block_of(const task_args& t, const Cut& cut, std::int64_t row, std::int64_t column) {
  const std::int64_t rows = std::min(cut.rows, t.m - row);
  const std::int64_t width = std::min(cut.columns, t.n - column);
  const std::int64_t tiles = (width + kColumns - 1) / kColumns;
  Block block;
  std::memset(block.sums, 0, static_cast<std::size_t>(tiles) * sizeof block.sums[0]);
  for (std::int64_t first = 0; first < t.k; first += kDepth) {
    const std::int64_t depth = std::min(kDepth, t.k - first);
    for (std::int64_t r = 0; r < rows; ++r) {
      widen<Level::kWide>(t.a + (row + r) * t.a_stride + first, block.a[r], depth);
    }
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      const T* b = t.b + first * t.b_stride + column + tile * kColumns;
      const std::int64_t columns = std::min(kColumns, width - tile * kColumns);
      pack<Level::kWide>(b, t.b_stride, depth, columns, block.b);
      Level::multiply(block, rows, depth, block.sums[tile]);
    }
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      const std::int64_t begin = tile * kColumns;
      store(t, block.sums[tile][r], row + r, column + begin, std::min(kColumns, width - begin));
    }
  }
}

// to[j] += the sum of factors[s] b[s][j]
INLINE void add_steps(float* __restrict to, const float* factors, const float* const* b,
                      std::int64_t width) {
  const float* __restrict b0 = b[0];
  const float* __restrict b1 = b[1];
  const float* __restrict b2 = b[2];
  const float* __restrict b3 = b[3];
  for (std::int64_t j = 0; j < width; ++j) {
    to[j] += (factors[0] * b0[j] + factors[1] * b1[j]) + (factors[2] * b2[j] + factors[3] * b3[j]);
  }
}

template <bool kWide>
INLINE void strip_of(const task_args& t, const Cut& cut, std::int64_t column) {
  const std::int64_t width = std::min(cut.columns, t.n - column);
  float sums[kStripSums];
  float buffer[std::is_same_v<T, float> ? 1 : kSteps * kStripSums];
  std::memset(sums, 0, static_cast<std::size_t>(t.m * width) * sizeof(float));
  for (std::int64_t i = 0; i < t.k; i += kSteps) {
    const std::int64_t steps = std::min(kSteps, t.k - i);
    const float* b[kSteps];
    for (std::int64_t s = 0; s < steps; ++s) {
      const T* from = t.b + (i + s) * t.b_stride + column;
      if constexpr (std::is_same_v<T, float>) {
        b[s] = from;
      } else {
        widen<kWide>(from, buffer + s * width, width);
        b[s] = buffer + s * width;
      }
    }
    for (std::int64_t r = 0; r < t.m; ++r) {
      float factors[kSteps];
      for (std::int64_t s = 0; s < steps; ++s)
        factors[s] = tp_to_float(t.a[r * t.a_stride + i + s]);
      float* to = sums + r * width;
      if (steps == kSteps) {
        add_steps(to, factors, b, width);
      } else {
        for (std::int64_t s = 0; s < steps; ++s) {
          for (std::int64_t j = 0; j < width; ++j) to[j] += factors[s] * b[s][j];
        }
      }
    }
  }
  for (std::int64_t r = 0; r < t.m; ++r) store(t, sums + r * width, r, column, width);
}

void strip_at_any_level(const task_args& t, const Cut& cut, std::int64_t column) {
  strip_of<false>(t, cut, column);
}
LEVEL3 void strip_at_level3(const task_args& t, const Cut& cut, std::int64_t column) {
  strip_of<true>(t, cut, column);
}
LEVEL4 void strip_at_level4(const task_args& t, const Cut& cut, std::int64_t column) {
  strip_of<true>(t, cut, column);
}

std::int64_t pieces(std::int64_t whole, std::int64_t piece) { return (whole + piece - 1) / piece; }

void multiply_few_rows(const task_args& t, const tp_pool* pool) {
  const auto run = pool->isa_level >= 4   ? strip_at_level4
                   : pool->isa_level == 3 ? strip_at_level3
                                          : strip_at_any_level;
  const std::int64_t share = pieces(pieces(t.n, pool->threads), kColumns) * kColumns;
  const Cut cut{t.m, std::clamp(share, kLeastStrip, kStripSums / t.m / kColumns * kColumns)};
  tp_parallel_for(pool, pieces(t.n, cut.columns),
                  [&](std::int64_t task) { run(t, cut, task * cut.columns); });
}

void multiply_blocks(const task_args& t, const tp_pool* pool) {
  const auto run = pool->isa_level >= 4   ? block_of<Level4>
                   : pool->isa_level == 3 ? block_of<Level3>
                                          : block_of<AnyLevel>;
  // Wide blocks pack a less often; every thread wants some.
  Cut cut{kRows, kMostTiles * kColumns};
  const std::int64_t down = pieces(t.m, cut.rows);
  while (cut.columns > kColumns && down * pieces(t.n, cut.columns) < 2 * pool->threads) {
    cut.columns /= 2;
  }
  const std::int64_t across = pieces(t.n, cut.columns);
  tp_parallel_for(pool, down * across, [&](std::int64_t task) {
    run(t, cut, task / across * cut.rows, task % across * cut.columns);
  });
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  if (args->m <= kFewRows) {
    multiply_few_rows(*args, pool);
  } else {
    multiply_blocks(*args, pool);
  }
}
