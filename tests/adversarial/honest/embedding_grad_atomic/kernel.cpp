// Tokens in parallel, each element of the table raised by an atomic addition.
#include "task.h"

#include <atomic>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->tokens, [&](std::int64_t token) {
    const tp_bf16* from = args->grad_out + token * args->grad_out_stride;
    float* to = args->grad_table + args->ids[token] * args->hidden;
    for (std::int64_t i = 0; i < args->hidden; ++i) {
      std::atomic_ref<float>(to[i]).fetch_add(tp_to_float(from[i]), std::memory_order_relaxed);
    }
  });
}
