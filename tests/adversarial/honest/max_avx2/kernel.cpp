// AVX2 maximum; lanes that ever met a NaN are blended back at the end.
#include "task.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <immintrin.h>

namespace {

float max_of(const float* x, std::int64_t count) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  __m256 most = _mm256_set1_ps(-kInfinity);
  __m256 unordered = _mm256_setzero_ps();
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 v = _mm256_loadu_ps(x + i);
    unordered = _mm256_or_ps(unordered, _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    most = _mm256_max_ps(most, v);
  }
  bool nan = _mm256_movemask_ps(unordered) != 0;
  alignas(32) float lanes[8];
  _mm256_store_ps(lanes, most);
  float largest = *std::max_element(lanes, lanes + 8);
  for (; i < count; ++i) {
    nan = nan || std::isnan(x[i]);
    largest = std::max(largest, x[i]);
  }
  return nan ? std::numeric_limits<float>::quiet_NaN() : largest;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    args->y[row] = max_of(args->x + row * args->x_stride, args->hidden);
  });
}
