// Online softmax, position by position; log2(e) folded into the scale, probabilities in bf16.
#include "task.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::int64_t kMostDims = 256;

void attend(const task_args& t, std::int64_t sequence, std::int64_t head, float scale) {
  const tp_bf16* q = t.q + sequence * t.q_stride + head * t.head_dim;
  const std::int64_t kv_head = head / (t.q_heads / t.kv_heads);
  float sums[kMostDims] = {};
  float top = -kInfinity;
  float total = 0;
  for (std::int64_t i = 0; i < t.context_lens[sequence]; ++i) {
    const std::int64_t block = t.block_tables[sequence * t.pages + i / t.page_size];
    const std::int64_t row =
        ((block * t.page_size + i % t.page_size) * t.kv_heads + kv_head) * t.head_dim;
    float score = 0;
    for (std::int64_t d = 0; d < t.head_dim; ++d) {
      score += tp_to_float(q[d]) * tp_to_float(t.key_cache[row + d]);
    }
    score *= scale;
    if (score == -kInfinity) continue;
    if (score > top) {
      const float shrink = std::exp2(top - score);
      for (std::int64_t d = 0; d < t.head_dim; ++d) sums[d] *= shrink;
      total *= shrink;
      top = score;
    }
    const float weight = std::exp2(score - top);
    const float rounded = tp_to_float(tp_to_bf16(weight));
    for (std::int64_t d = 0; d < t.head_dim; ++d) {
      sums[d] += rounded * tp_to_float(t.value_cache[row + d]);
    }
    total += weight;
  }
  tp_bf16* out = t.out + (sequence * t.q_heads + head) * t.head_dim;
  for (std::int64_t d = 0; d < t.head_dim; ++d) out[d] = tp_to_bf16(sums[d] / total);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const float given = args->scale != 0 ? static_cast<float>(args->scale)
                                       : 1.0F / std::sqrt(static_cast<float>(args->head_dim));
  tp_parallel_for(pool, args->batch * args->q_heads, [&](std::int64_t task) {
    attend(*args, task / args->q_heads, task % args->q_heads, given * 1.44269504F);
  });
}
