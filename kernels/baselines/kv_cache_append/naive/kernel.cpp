// Each token's key and value, element by element; tokens without a slot are skipped.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t width = args->kv_heads * args->head_dim;
  tp_parallel_for(pool, args->tokens, [&](std::int64_t token) {
    const std::int64_t slot = args->slot_mapping[token];
    if (slot < 0) return;
    for (std::int64_t i = 0; i < width; ++i) {
      args->key_cache[slot * width + i] = args->key[token * args->key_stride + i];
      args->value_cache[slot * width + i] = args->value[token * args->value_stride + i];
    }
  });
}
