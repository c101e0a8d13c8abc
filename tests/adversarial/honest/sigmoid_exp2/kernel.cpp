// 1 / (1 + 2^(-x log2 e)), scalar, chunks shared out to the pool.
#include "task.h"

#include <algorithm>
#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  constexpr std::int64_t kChunk = 1024;
  const std::int64_t size = args->rows * args->hidden;
  tp_parallel_for(pool, (size + kChunk - 1) / kChunk, [&](std::int64_t task) {
    const std::int64_t last = std::min((task + 1) * kChunk, size);
    for (std::int64_t i = task * kChunk; i < last; ++i) {
      const float power = std::exp2(tp_to_float(args->x[i]) * -1.44269504F);
      args->y[i] = static_cast<tp_fp16>(1.0F / (1.0F + power));
    }
  });
}
