// A memcpy of a row of the table for each token, a few chunks of tokens per thread.
#include "task.h"

#include <algorithm>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const task_args& t = *args;
  const std::size_t bytes = static_cast<std::size_t>(t.hidden) * sizeof *t.y;
  const std::int64_t chunks = std::min(t.tokens, 4 * pool->threads);
  tp_parallel_for(pool, chunks, [&](std::int64_t chunk) {
    const std::int64_t last = t.tokens * (chunk + 1) / chunks;
    for (std::int64_t token = t.tokens * chunk / chunks; token < last; ++token) {
      // Rows lie anywhere in the table: the next one is asked for ahead.
      if (token + 2 < last) {
        const auto* next =
            reinterpret_cast<const char*>(t.table + t.ids[token + 2] * t.table_stride);
        for (std::size_t i = 0; i < std::min<std::size_t>(bytes, 1024); i += 64) {
          __builtin_prefetch(next + i);
        }
      }
      std::memcpy(t.y + token * t.y_stride, t.table + t.ids[token] * t.table_stride, bytes);
    }
  });
}
