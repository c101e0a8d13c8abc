// Tiles whose rows are whole cache lines, transposed in registers by unpacking: 4 x 4 elements of
// four bytes, 8 x 8 of two. Tiles at the edges go element by element.
#include "task.h"

#include <algorithm>

#include <immintrin.h>

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::y)>>;
constexpr std::int64_t kTile = 32;

__m128i load(const void* from) { return _mm_loadu_si128(static_cast<const __m128i*>(from)); }
void store(void* to, __m128i v) { _mm_storeu_si128(static_cast<__m128i*>(to), v); }

constexpr std::int64_t kSquare = 16 / sizeof(T);

// A square of kSquare x kSquare elements.
void transpose_square(const T* x, std::int64_t x_stride, T* y, std::int64_t y_stride) {
  __m128i v[kSquare];
  for (std::int64_t i = 0; i < kSquare; ++i) v[i] = load(x + i * x_stride);
  __m128i w[kSquare];
  if constexpr (sizeof(T) == 2) {
    for (int i = 0; i < 8; i += 2) {
      w[i] = _mm_unpacklo_epi16(v[i], v[i + 1]);
      w[i + 1] = _mm_unpackhi_epi16(v[i], v[i + 1]);
    }
    // Now pairs of rows, of which w[0] and w[2] hold the first four columns.
    for (int i = 0; i < 8; i += 4) {
      v[i] = _mm_unpacklo_epi32(w[i], w[i + 2]);
      v[i + 1] = _mm_unpackhi_epi32(w[i], w[i + 2]);
      v[i + 2] = _mm_unpacklo_epi32(w[i + 1], w[i + 3]);
      v[i + 3] = _mm_unpackhi_epi32(w[i + 1], w[i + 3]);
    }
    for (int i = 0; i < 4; ++i) {
      w[2 * i] = _mm_unpacklo_epi64(v[i], v[i + 4]);
      w[2 * i + 1] = _mm_unpackhi_epi64(v[i], v[i + 4]);
    }
  } else {
    const __m128i low = _mm_unpacklo_epi32(v[0], v[1]);
    const __m128i high = _mm_unpackhi_epi32(v[0], v[1]);
    const __m128i next_low = _mm_unpacklo_epi32(v[2], v[3]);
    const __m128i next_high = _mm_unpackhi_epi32(v[2], v[3]);
    w[0] = _mm_unpacklo_epi64(low, next_low);
    w[1] = _mm_unpackhi_epi64(low, next_low);
    w[2] = _mm_unpacklo_epi64(high, next_high);
    w[3] = _mm_unpackhi_epi64(high, next_high);
  }
  for (std::int64_t i = 0; i < kSquare; ++i) store(y + i * y_stride, w[i]);
}

void transpose_tile(const T* x, std::int64_t x_stride, T* y, std::int64_t y_stride,
                    std::int64_t height, std::int64_t width) {
  if (height == kTile && width == kTile) {
    for (std::int64_t j = 0; j < kTile; j += kSquare) {
      for (std::int64_t i = 0; i < kTile; i += kSquare) {
        transpose_square(x + i * x_stride + j, x_stride, y + j * y_stride + i, y_stride);
      }
    }
    return;
  }
  for (std::int64_t j = 0; j < width; ++j) {
    for (std::int64_t i = 0; i < height; ++i) y[j * y_stride + i] = x[i * x_stride + j];
  }
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const task_args& t = *args;
  // Tasks are bands of columns of x, which are whole rows of y.
  tp_parallel_for(pool, (t.columns + kTile - 1) / kTile, [&](std::int64_t task) {
    const std::int64_t j = task * kTile;
    for (std::int64_t i = 0; i < t.rows; i += kTile) {
      transpose_tile(t.x + i * t.x_stride + j, t.x_stride, t.y + j * t.y_stride + i, t.y_stride,
                     std::min(kTile, t.rows - i), std::min(kTile, t.columns - j));
    }
  });
}
