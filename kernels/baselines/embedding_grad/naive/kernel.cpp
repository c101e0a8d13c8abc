// Tasks own columns of the table and add the gradients in order of the tokens.
#include "task.h"

#include <algorithm>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  constexpr std::int64_t kColumns = 16;
  const std::int64_t hidden = args->hidden;
  tp_parallel_for(pool, (hidden + kColumns - 1) / kColumns, [&](std::int64_t task) {
    const std::int64_t first = task * kColumns;
    const std::int64_t last = std::min(hidden, first + kColumns);
    for (std::int64_t token = 0; token < args->tokens; ++token) {
      const auto* from = args->grad_out + token * args->grad_out_stride;
      float* to = args->grad_table + args->ids[token] * hidden;
      for (std::int64_t i = first; i < last; ++i) to[i] += tp_to_float(from[i]);
    }
  });
}
