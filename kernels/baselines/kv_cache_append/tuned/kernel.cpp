// A memcpy of each token's key and value, a few chunks of tokens per thread.
#include "task.h"

#include <algorithm>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const task_args& t = *args;
  const std::int64_t width = t.kv_heads * t.head_dim;
  const std::size_t bytes = static_cast<std::size_t>(width) * sizeof *t.key_cache;
  const std::int64_t chunks = std::min(t.tokens, 4 * pool->threads);
  tp_parallel_for(pool, chunks, [&](std::int64_t chunk) {
    const std::int64_t last = t.tokens * (chunk + 1) / chunks;
    for (std::int64_t token = t.tokens * chunk / chunks; token < last; ++token) {
      const std::int64_t slot = t.slot_mapping[token];
      if (slot < 0) continue;
      std::memcpy(t.key_cache + slot * width, t.key + token * t.key_stride, bytes);
      std::memcpy(t.value_cache + slot * width, t.value + token * t.value_stride, bytes);
    }
  });
}
