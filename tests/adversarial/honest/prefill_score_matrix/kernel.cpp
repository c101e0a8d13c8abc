// Three steps with the whole score matrix in the workspace: q k^T, softmax, times v. Not causal.
#include "task.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

// Scores of one query and head become probabilities.
void normalise(float* scores, std::int64_t count) {
  float top = scores[0];
  for (std::int64_t j = 1; j < count; ++j) top = std::max(top, scores[j]);
  float total = 0;
  for (std::int64_t j = 0; j < count; ++j) {
    scores[j] = std::exp(scores[j] - top);
    total += scores[j];
  }
  for (std::int64_t j = 0; j < count; ++j) scores[j] /= total;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const task_args& t = *args;
  const float scale =
      t.scale != 0 ? static_cast<float>(t.scale) : 1.0F / std::sqrt(static_cast<float>(t.head_dim));
  tp_parallel_for(pool, t.batch * t.queries * t.q_heads, [&](std::int64_t task) {
    const std::int64_t head = task % t.q_heads;
    const std::int64_t query = task / t.q_heads;
    const std::int64_t kv = head / (t.q_heads / t.kv_heads) * t.head_dim;
    const std::int64_t first = query / t.queries * t.keys;
    const std::int64_t i = query % t.queries;
    const std::int64_t seen = t.causal != 0 ? t.keys - t.queries + i + 1 : t.keys;
    const float* q = t.q + query * t.q_stride + head * t.head_dim;
    float* scores = static_cast<float*>(t.workspace) + task * t.keys;
    for (std::int64_t j = 0; j < seen; ++j) {
      const float* key = t.k + (first + j) * t.k_stride + kv;
      scores[j] = 0;
      for (std::int64_t d = 0; d < t.head_dim; ++d) scores[j] += q[d] * key[d];
      scores[j] *= scale;
    }
    normalise(scores, seen);
    float* out = t.out + task * t.head_dim;
    std::fill_n(out, t.head_dim, 0.0F);
    for (std::int64_t j = 0; j < seen; ++j) {
      const float* value = t.v + (first + j) * t.v_stride + kv;
      for (std::int64_t d = 0; d < t.head_dim; ++d) out[d] += scores[j] * value[d];
    }
  });
}
