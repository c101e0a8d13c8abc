// Blocked: panels of 16 columns of b packed in the workspace, 4 x 16 tiles in AVX2 registers.
#include "task.h"

#include <algorithm>

#include <immintrin.h>

namespace {

constexpr std::int64_t kWidth = 16;
constexpr std::int64_t kHeight = 4;

// Columns past the last are zeros; what they make is not stored.
void pack(const task_args* args, std::int64_t panel, float* to) {
  const std::int64_t first = panel * kWidth;
  const std::int64_t width = std::min(kWidth, args->n - first);
  for (std::int64_t p = 0; p < args->k; ++p) {
    const float* from = args->b + p * args->b_stride + first;
    for (std::int64_t j = 0; j < kWidth; ++j) to[p * kWidth + j] = j < width ? from[j] : 0.0F;
  }
}

void multiply(const task_args* args, std::int64_t row, std::int64_t panel, const float* packed) {
  const std::int64_t height = std::min(kHeight, args->m - row);
  __m256 sums[kHeight][2] = {};
  for (std::int64_t p = 0; p < args->k; ++p) {
    const __m256 left = _mm256_loadu_ps(packed + p * kWidth);
    const __m256 right = _mm256_loadu_ps(packed + p * kWidth + 8);
    for (std::int64_t i = 0; i < kHeight; ++i) {
      // Rows past the last repeat it.
      const std::int64_t source = row + std::min(i, height - 1);
      const __m256 a = _mm256_broadcast_ss(args->a + source * args->a_stride + p);
      sums[i][0] = _mm256_fmadd_ps(a, left, sums[i][0]);
      sums[i][1] = _mm256_fmadd_ps(a, right, sums[i][1]);
    }
  }
  const std::int64_t first = panel * kWidth;
  const auto width = static_cast<std::size_t>(std::min(kWidth, args->n - first));
  for (std::int64_t i = 0; i < height; ++i) {
    std::memcpy(args->y + (row + i) * args->y_stride + first, sums[i], width * sizeof(float));
  }
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  auto* packed = static_cast<float*>(args->workspace);
  const std::int64_t panels = (args->n + kWidth - 1) / kWidth;
  const std::int64_t strips = (args->m + kHeight - 1) / kHeight;
  const std::int64_t panel_size = args->k * kWidth;
  tp_parallel_for(pool, panels,
                  [&](std::int64_t panel) { pack(args, panel, packed + panel * panel_size); });
  tp_parallel_for(pool, panels * strips, [&](std::int64_t task) {
    const std::int64_t panel = task / strips;
    multiply(args, task % strips * kHeight, panel, packed + panel * panel_size);
  });
}
