// A memcpy of each token's key and value; tokens without a slot are skipped.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t width = args->kv_heads * args->head_dim;
  const std::size_t bytes = static_cast<std::size_t>(width) * sizeof(float);
  tp_parallel_for(pool, args->tokens, [&](std::int64_t token) {
    const std::int64_t slot = args->slot_mapping[token];
    if (slot < 0) return;
    std::memcpy(args->key_cache + slot * width, args->key + token * args->key_stride, bytes);
    std::memcpy(args->value_cache + slot * width, args->value + token * args->value_stride, bytes);
  });
}
