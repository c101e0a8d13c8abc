// AVX-512: a row times 32 columns of masked loads at a time; bias and gelu in the epilogue.
#include "task.h"

#include <algorithm>
#include <cmath>

#include <immintrin.h>

namespace {

constexpr std::int64_t kWidth = 32;

float gelu(float x) {
  const float inner = 0.797884561F * (x + 0.044715F * x * x * x);
  return 0.5F * x * (1.0F + std::tanh(inner));
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t panels = (args->n + kWidth - 1) / kWidth;
  tp_parallel_for(pool, args->m * panels, [&](std::int64_t task) {
    const std::int64_t row = task / panels;
    const std::int64_t first = task % panels * kWidth;
    const std::int64_t width = std::min(kWidth, args->n - first);
    const auto mask = static_cast<__mmask32>((std::uint64_t{1} << width) - 1);
    const auto low = static_cast<__mmask16>(mask);
    const auto high = static_cast<__mmask16>(mask >> 16);
    __m512 sums[2] = {_mm512_maskz_loadu_ps(low, args->bias_values + first),
                      _mm512_maskz_loadu_ps(high, args->bias_values + first + 16)};
    for (std::int64_t p = 0; p < args->k; ++p) {
      const __m512 a = _mm512_set1_ps(args->a[row * args->a_stride + p]);
      const float* b = args->b + p * args->b_stride + first;
      sums[0] = _mm512_fmadd_ps(a, _mm512_maskz_loadu_ps(low, b), sums[0]);
      sums[1] = _mm512_fmadd_ps(a, _mm512_maskz_loadu_ps(high, b + 16), sums[1]);
    }
    float lanes[kWidth];
    _mm512_storeu_ps(lanes, sums[0]);
    _mm512_storeu_ps(lanes + 16, sums[1]);
    for (std::int64_t j = 0; j < width; ++j) {
      args->y[row * args->y_stride + first + j] = gelu(lanes[j]);
    }
  });
}
