// Fused multiply-adds in registers only: kSteps steps of 12 independent chains of a vector each on
// every thread, so 2 * 12 * lanes * kSteps floating-point operations a thread. y[2 * task + 1] is
// the lanes.
#include "task.h"

#include <immintrin.h>

namespace {

// Latency 4 at two a cycle needs 8; a few more do no harm.
constexpr int kChains = 12;
constexpr std::int64_t kSteps = 1 << 20;

__attribute__((target("avx512f"))) float spin_16(float start) {
  __m512 chains[kChains];
  for (int j = 0; j < kChains; ++j) chains[j] = _mm512_set1_ps(start + static_cast<float>(j));
  const __m512 scale = _mm512_set1_ps(0.999F);
  const __m512 shift = _mm512_set1_ps(0.001F);
  for (std::int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kChains; ++j) chains[j] = _mm512_fmadd_ps(chains[j], scale, shift);
  }
  float out = 0;
  for (int j = 0; j < kChains; ++j) out += _mm512_cvtss_f32(chains[j]);
  return out;
}

__attribute__((target("avx2,fma"))) float spin_8(float start) {
  __m256 chains[kChains];
  for (int j = 0; j < kChains; ++j) chains[j] = _mm256_set1_ps(start + static_cast<float>(j));
  const __m256 scale = _mm256_set1_ps(0.999F);
  const __m256 shift = _mm256_set1_ps(0.001F);
  for (std::int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kChains; ++j) chains[j] = _mm256_fmadd_ps(chains[j], scale, shift);
  }
  float out = 0;
  for (int j = 0; j < kChains; ++j) out += _mm256_cvtss_f32(chains[j]);
  return out;
}

// Below x86-64-v3 a multiplication and an addition.
float spin_4(float start) {
  __m128 chains[kChains];
  for (int j = 0; j < kChains; ++j) chains[j] = _mm_set1_ps(start + static_cast<float>(j));
  const __m128 scale = _mm_set1_ps(0.999F);
  const __m128 shift = _mm_set1_ps(0.001F);
  for (std::int64_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (int j = 0; j < kChains; ++j) chains[j] = _mm_add_ps(_mm_mul_ps(chains[j], scale), shift);
  }
  float out = 0;
  for (int j = 0; j < kChains; ++j) out += _mm_cvtss_f32(chains[j]);
  return out;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, pool->threads, [&](std::int64_t task) {
    const float start = args->x[task];
    const bool wide = pool->isa_level >= 4;
    const bool half = pool->isa_level == 3;
    // The result is kept, so that no compiler leaves the work out.
    args->y[2 * task] = wide ? spin_16(start) : half ? spin_8(start) : spin_4(start);
    args->y[2 * task + 1] = wide ? 16 : half ? 8 : 4;
  });
}
