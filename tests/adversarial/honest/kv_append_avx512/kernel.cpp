// AVX-512: 32 halves at a time, the last ones under a mask.
#include "task.h"

#include <immintrin.h>

namespace {

void copy(tp_fp16* to, const tp_fp16* from, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += 32) {
    const std::int64_t left = count - i;
    const __mmask32 mask = left >= 32 ? ~0U : (1U << left) - 1U;
    _mm512_mask_storeu_epi16(to + i, mask, _mm512_maskz_loadu_epi16(mask, from + i));
  }
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* /*pool*/) {
  const std::int64_t width = args->kv_heads * args->head_dim;
  for (std::int64_t token = 0; token < args->tokens; ++token) {
    const std::int64_t slot = args->slot_mapping[token];
    if (slot < 0) continue;
    copy(args->key_cache + slot * width, args->key + token * args->key_stride, width);
    copy(args->value_cache + slot * width, args->value + token * args->value_stride, width);
  }
}
