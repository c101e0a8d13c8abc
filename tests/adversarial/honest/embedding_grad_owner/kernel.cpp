// Each task owns rows of the table, scans all ids, and sums in registers before one addition.
#include "task.h"

#include <algorithm>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  constexpr std::int64_t kColumns = 16;
  const std::int64_t blocks = (args->hidden + kColumns - 1) / kColumns;
  tp_parallel_for(pool, args->vocab * blocks, [&](std::int64_t task) {
    const std::int64_t id = task / blocks;
    const std::int64_t first = task % blocks * kColumns;
    const std::int64_t width = std::min(kColumns, args->hidden - first);
    float sums[kColumns] = {};
    bool named = false;
    for (std::int64_t token = 0; token < args->tokens; ++token) {
      if (args->ids[token] != id) continue;
      named = true;
      const float* from = args->grad_out + token * args->grad_out_stride + first;
      for (std::int64_t i = 0; i < width; ++i) sums[i] += from[i];
    }
    float* to = args->grad_table + id * args->hidden + first;
    for (std::int64_t i = 0; named && i < width; ++i) to[i] += sums[i];
  });
}
