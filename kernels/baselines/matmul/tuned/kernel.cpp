// Blocks of 96 rows and 32 columns of y: b is packed as floats by 256 steps of k, and a
// micro-kernel keeps 12 x 32 sums (AVX-512) or 6 x 16 (AVX2) in registers. Elsewhere loops that the
// compiler vectorises.
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

// A block of y while it is summed up, and what it is summed from.
struct Block {
  float sums[kRows][kColumns];
  alignas(64) float b[kDepth][kColumns];
  float a[kRows][kDepth];
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

template <bool kWide, typename E>
INLINE void widen(const E* from, float* to, std::int64_t count) {
  if constexpr (kWide && std::is_same_v<E, tp_fp16>) {
    widen_f16c(from, to, count);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = tp_to_float(from[i]);
  }
}

// sums[r][...] += a[r][i] b[i][...] for kHeight rows; `a` has a pitch of kDepth.
template <int kHeight>
LEVEL4 void multiply_avx512(const float* a, const Block& block, std::int64_t depth,
                            float (*sums)[kColumns]) {
  __m512 left[kHeight];
  __m512 right[kHeight];
  for (int r = 0; r < kHeight; ++r) {
    left[r] = _mm512_loadu_ps(sums[r]);
    right[r] = _mm512_loadu_ps(sums[r] + 16);
  }
  for (std::int64_t i = 0; i < depth; ++i) {
    const __m512 b_left = _mm512_load_ps(block.b[i]);
    const __m512 b_right = _mm512_load_ps(block.b[i] + 16);
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
LEVEL3 void multiply_avx2(const float* a, const Block& block, std::int64_t depth,
                          float (*sums)[kColumns]) {
  for (int half = 0; half < kColumns; half += 16) {
    __m256 left[kHeight];
    __m256 right[kHeight];
    for (int r = 0; r < kHeight; ++r) {
      left[r] = _mm256_loadu_ps(sums[r] + half);
      right[r] = _mm256_loadu_ps(sums[r] + half + 8);
    }
    for (std::int64_t i = 0; i < depth; ++i) {
      const __m256 b_left = _mm256_load_ps(block.b[i] + half);
      const __m256 b_right = _mm256_load_ps(block.b[i] + half + 8);
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
  static void multiply(Block& block, std::int64_t rows, std::int64_t depth) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t i = 0; i < depth; ++i) {
        for (std::int64_t j = 0; j < kColumns; ++j) {
          block.sums[r][j] += block.a[r][i] * block.b[i][j];
        }
      }
    }
  }
};

struct Level3 {
  static constexpr bool kWide = true;
  static void multiply(Block& block, std::int64_t rows, std::int64_t depth) {
    std::int64_t r = 0;
    for (; r + 6 <= rows; r += 6) multiply_avx2<6>(block.a[r], block, depth, block.sums + r);
    for (; r + 2 <= rows; r += 2) multiply_avx2<2>(block.a[r], block, depth, block.sums + r);
    for (; r < rows; ++r) multiply_avx2<1>(block.a[r], block, depth, block.sums + r);
  }
};

struct Level4 {
  static constexpr bool kWide = true;
  static void multiply(Block& block, std::int64_t rows, std::int64_t depth) {
    std::int64_t r = 0;
    for (; r + 12 <= rows; r += 12) multiply_avx512<12>(block.a[r], block, depth, block.sums + r);
    for (; r + 4 <= rows; r += 4) multiply_avx512<4>(block.a[r], block, depth, block.sums + r);
    for (; r < rows; ++r) multiply_avx512<1>(block.a[r], block, depth, block.sums + r);
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

void store(const task_args& t, const Block& block, std::int64_t row, std::int64_t rows,
           std::int64_t column, std::int64_t width) {
  const auto activation = static_cast<int>(t.activation);
  for (std::int64_t r = 0; r < rows; ++r) {
    T* y = t.y + (row + r) * t.y_stride + column;
    for (std::int64_t j = 0; j < width; ++j) {
      float sum = block.sums[r][j];
      if (t.bias != 0) sum += tp_to_float(t.bias_values[column + j]);
      y[j] = tp_from_float<T>(activation == 0 ? sum : activated(sum, activation));
    }
  }
}

template <typename Level>
void block_of(const task_args& t, std::int64_t row, std::int64_t column) {
  const std::int64_t rows = std::min(kRows, t.m - row);
  const std::int64_t width = std::min(kColumns, t.n - column);
  Block block;
  std::memset(block.sums, 0, sizeof block.sums);
  // The columns beyond the edge are summed up, too, and never stored.
  if (width < kColumns) std::memset(block.b, 0, sizeof block.b);
  for (std::int64_t first = 0; first < t.k; first += kDepth) {
    const std::int64_t depth = std::min(kDepth, t.k - first);
    for (std::int64_t i = 0; i < depth; ++i) {
      widen<Level::kWide>(t.b + (first + i) * t.b_stride + column, block.b[i], width);
    }
    for (std::int64_t r = 0; r < rows; ++r) {
      widen<Level::kWide>(t.a + (row + r) * t.a_stride + first, block.a[r], depth);
    }
    Level::multiply(block, rows, depth);
  }
  store(t, block, row, rows, column, width);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const auto run = pool->isa_level >= 4   ? block_of<Level4>
                   : pool->isa_level == 3 ? block_of<Level3>
                                          : block_of<AnyLevel>;
  const std::int64_t down = (args->m + kRows - 1) / kRows;
  const std::int64_t across = (args->n + kColumns - 1) / kColumns;
  tp_parallel_for(pool, down * across, [&](std::int64_t task) {
    run(*args, task / across * kRows, task % across * kColumns);
  });
}
