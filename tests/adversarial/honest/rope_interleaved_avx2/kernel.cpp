// AVX2: four interleaved pairs at a time by a fused multiply and alternating add.
#include "task.h"

#include <immintrin.h>

namespace {

// a, b, c, d -> a, a, b, b, c, c, d, d
__m256 doubled(const float* from) {
  const __m256 v = _mm256_castps128_ps256(_mm_loadu_ps(from));
  return _mm256_permutevar8x32_ps(v, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t half = args->rotary_dim / 2;
  tp_parallel_for(pool, args->tokens * args->heads, [&](std::int64_t task) {
    const std::int64_t token = task / args->heads;
    const std::int64_t head = task % args->heads;
    const float* cosines = args->cos_sin_cache + args->positions[token] * args->rotary_dim;
    const float* sines = cosines + half;
    const float* x = args->x + token * args->x_stride + head * args->head_dim;
    float* y = args->y + token * args->y_stride + head * args->head_dim;
    std::int64_t i = 0;
    for (; i + 4 <= half; i += 4) {
      const __m256 pairs = _mm256_loadu_ps(x + 2 * i);
      const __m256 swapped = _mm256_permute_ps(pairs, 0xB1);
      const __m256 turned = _mm256_fmaddsub_ps(pairs, doubled(cosines + i),
                                               _mm256_mul_ps(swapped, doubled(sines + i)));
      _mm256_storeu_ps(y + 2 * i, turned);
    }
    for (; i < half; ++i) {
      y[2 * i] = x[2 * i] * cosines[i] - x[2 * i + 1] * sines[i];
      y[2 * i + 1] = x[2 * i + 1] * cosines[i] + x[2 * i] * sines[i];
    }
    std::memcpy(y + args->rotary_dim, x + args->rotary_dim,
                static_cast<std::size_t>(args->head_dim - args->rotary_dim) * sizeof(float));
  });
}
