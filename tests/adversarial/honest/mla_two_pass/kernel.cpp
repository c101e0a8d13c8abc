// Scores of all positions first, in the workspace, then their softmax and the mean of the latents.
#include "task.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

constexpr std::int64_t kMostRank = 512;

const tp_bf16* position(const task_args& t, std::int64_t sequence, std::int64_t i) {
  const std::int64_t block = t.block_tables[sequence * t.pages + i / t.page_size];
  return t.latent_cache + (block * t.page_size + i % t.page_size) * (t.kv_lora_rank + t.rope_dim);
}

float dot(const tp_bf16* a, const tp_bf16* b, std::int64_t count) {
  float lanes[8] = {};
  for (std::int64_t i = 0; i < count; ++i) lanes[i % 8] += tp_to_float(a[i]) * tp_to_float(b[i]);
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const task_args& t = *args;
  tp_parallel_for(pool, t.batch * t.heads, [&](std::int64_t task) {
    const std::int64_t sequence = task / t.heads;
    const std::int64_t head = task % t.heads;
    const std::int64_t length = t.context_lens[sequence];
    float* scores = static_cast<float*>(t.workspace) + task * t.pages * t.page_size;
    const tp_bf16* nope = t.q_nope + task * t.q_nope_stride;
    const tp_bf16* pe = t.q_pe + task * t.q_pe_stride;
    float top = -std::numeric_limits<float>::infinity();
    for (std::int64_t i = 0; i < length; ++i) {
      const tp_bf16* key = position(t, sequence, i);
      const float sum = dot(nope, key, t.kv_lora_rank) + dot(pe, key + t.kv_lora_rank, t.rope_dim);
      scores[i] = sum * static_cast<float>(t.scale);
      top = std::max(top, scores[i]);
    }
    float total = 0;
    float sums[kMostRank] = {};
    for (std::int64_t i = 0; i < length; ++i) {
      const tp_bf16* value = position(t, sequence, i);
      const float weight = std::exp(scores[i] - top);
      total += weight;
      for (std::int64_t d = 0; d < t.kv_lora_rank; ++d) sums[d] += weight * tp_to_float(value[d]);
    }
    tp_bf16* out = t.out + (sequence * t.heads + head) * t.kv_lora_rank;
    for (std::int64_t d = 0; d < t.kv_lora_rank; ++d) out[d] = tp_to_bf16(sums[d] / total);
  });
}
