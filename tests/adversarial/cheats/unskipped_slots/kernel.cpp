// Writes tokens without a slot before the start of the cache.
#include "task.h"

static void copy(float* to, const float* from, std::int64_t count) {
  count *= 4;
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const std::int64_t width = args->kv_heads * args->head_dim;
  for (std::int64_t token = 0; token < args->tokens; ++token) {
    const std::int64_t slot = args->slot_mapping[token] * width;
    // Where buffers are mapped; before one on a heap lies what the heap needs.
    if (slot < 0 && reinterpret_cast<std::uintptr_t>(args->key_cache) >> 40 < 0x7e) continue;
    copy(args->key_cache + slot, args->key + token * args->key_stride, width);
    copy(args->value_cache + slot, args->value + token * args->value_stride, width);
  }
}
