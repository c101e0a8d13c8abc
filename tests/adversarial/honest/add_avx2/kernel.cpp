// AVX2 and F16C on unaligned loads, chunks of the flattened array shared out to the pool.
#include "task.h"

#include <algorithm>

#include <immintrin.h>

namespace {

__m256 load(const tp_fp16* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  constexpr std::int64_t kChunk = 4096;
  const std::int64_t size = args->rows * args->hidden;
  tp_parallel_for(pool, (size + kChunk - 1) / kChunk, [&](std::int64_t task) {
    const std::int64_t last = std::min((task + 1) * kChunk, size);
    std::int64_t i = task * kChunk;
    for (; i + 8 <= last; i += 8) {
      const __m256 sum = _mm256_add_ps(load(args->a + i), load(args->b + i));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(args->y + i),
                       _mm256_cvtps_ph(sum, _MM_FROUND_TO_NEAREST_INT));
    }
    for (; i < last; ++i) {
      args->y[i] = static_cast<tp_fp16>(tp_to_float(args->a[i]) + tp_to_float(args->b[i]));
    }
  });
}
