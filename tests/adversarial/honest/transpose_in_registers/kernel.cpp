// AVX2: tiles of 8 x 8 transposed in registers, edges element by element.
#include "task.h"

#include <immintrin.h>

namespace {

void transpose_tile(const float* from, std::int64_t from_stride, float* to,
                    std::int64_t to_stride) {
  __m256 r[8];
  __m256 t[8];
  for (int i = 0; i < 8; ++i) r[i] = _mm256_loadu_ps(from + i * from_stride);
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
  }
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(to + i * to_stride, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_storeu_ps(to + (i + 4) * to_stride, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, (args->rows + 7) / 8, [&](std::int64_t task) {
    const std::int64_t first = task * 8;
    const bool whole = first + 8 <= args->rows;
    std::int64_t column = 0;
    for (; whole && column + 8 <= args->columns; column += 8) {
      transpose_tile(args->x + first * args->x_stride + column, args->x_stride,
                     args->y + column * args->y_stride + first, args->y_stride);
    }
    for (; column < args->columns; ++column) {
      for (std::int64_t row = first; row < first + 8 && row < args->rows; ++row) {
        std::memcpy(args->y + column * args->y_stride + row,
                    args->x + row * args->x_stride + column, sizeof(float));
      }
    }
  });
}
