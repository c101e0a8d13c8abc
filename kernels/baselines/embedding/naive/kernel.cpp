// A row of the table copied for each token.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->tokens, [&](std::int64_t token) {
    const std::int64_t from = args->ids[token] * args->table_stride;
    const std::int64_t to = token * args->y_stride;
    for (std::int64_t i = 0; i < args->hidden; ++i) args->y[to + i] = args->table[from + i];
  });
}
