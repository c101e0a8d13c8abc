// Each task owns rows of the table and adds to them in the order of the tokens. Plain loops that
// the compiler vectorises for each level of the architecture; the processor's own is chosen at run
// time.
#include "task.h"

#include <algorithm>

#include <immintrin.h>

#define INLINE inline __attribute__((always_inline))
#define LEVEL3 __attribute__((target("avx2,fma,f16c,bmi2")))
#define LEVEL4                                              \
  __attribute__((                                           \
      target("avx512f,avx512bw,avx512vl,avx512dq,avx512cd," \
             "avx2,fma,f16c,bmi2,prefer-vector-width=512")))

namespace {
using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::grad_out)>>;
constexpr std::int64_t kBlock = 256;

// The compiler vectorises no conversion of fp16.
LEVEL3 inline void widen_f16c(const tp_fp16* from, float* to, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(half));
  }
  for (; i < count; ++i) to[i] = tp_to_float(from[i]);
}

// A block as floats: where it is, or converted into `buffer`.
template <bool kWide, typename E>
INLINE const float* widen(const E* from, float* buffer, std::int64_t count) {
  if constexpr (std::is_same_v<E, float>) {
    return from;
  } else if constexpr (kWide && std::is_same_v<E, tp_fp16>) {
    widen_f16c(from, buffer, count);
    return buffer;
  } else {
    for (std::int64_t i = 0; i < count; ++i) buffer[i] = tp_to_float(from[i]);
    return buffer;
  }
}

template <int kBytes>
INLINE void rows(const task_args& t, std::int64_t tasks, std::int64_t task) {
  constexpr bool kWide = kBytes > 16;
  float block[kBlock];
  // Tasks own the rows whose number leaves theirs when divided by the count of tasks, since
  // ids near one another are often as popular.
  for (std::int64_t token = 0; token < t.tokens; ++token) {
    const std::int64_t owner = t.ids[token] % tasks;
    if (owner != task) continue;
    const T* from = t.grad_out + token * t.grad_out_stride;
    float* to = t.grad_table + t.ids[token] * t.hidden;
    for (std::int64_t i = 0; i < t.hidden; i += kBlock) {
      const std::int64_t count = std::min(kBlock, t.hidden - i);
      const float* values = widen<kWide>(from + i, block, count);
      for (std::int64_t j = 0; j < count; ++j) to[i + j] += values[j];
    }
  }
}

void any_level(const task_args& t, std::int64_t tasks, std::int64_t task) {
  rows<16>(t, tasks, task);
}
LEVEL3 void level3(const task_args& t, std::int64_t tasks, std::int64_t task) {
  rows<32>(t, tasks, task);
}
LEVEL4 void level4(const task_args& t, std::int64_t tasks, std::int64_t task) {
  rows<64>(t, tasks, task);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const auto run = pool->isa_level >= 4 ? level4 : pool->isa_level == 3 ? level3 : any_level;
  const std::int64_t tasks = 2 * pool->threads;
  tp_parallel_for(pool, tasks, [&](std::int64_t task) { run(*args, tasks, task); });
}
