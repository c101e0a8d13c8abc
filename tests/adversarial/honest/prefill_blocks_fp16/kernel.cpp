// Blocks of 16 queries by 32 keys, online softmax by block, probabilities in fp16.
#include "task.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::int64_t kQueries = 16;
constexpr std::int64_t kKeys = 32;
constexpr std::int64_t kMostDims = 256;

struct State {
  float top = -kInfinity;
  float total = 0;
  float sums[kMostDims] = {};
};

// Adds `keys` keys to the state of one query.
void add_block(const task_args& t, const tp_fp16* q, const tp_fp16* k, const tp_fp16* v,
               std::int64_t keys, float scale, State& state) {
  float scores[kKeys];
  float top = state.top;
  for (std::int64_t j = 0; j < keys; ++j) {
    float sum = 0;
    for (std::int64_t d = 0; d < t.head_dim; ++d) {
      sum += tp_to_float(q[d]) * tp_to_float(k[j * t.k_stride + d]);
    }
    scores[j] = sum * scale;
    top = std::max(top, scores[j]);
  }
  if (top > state.top) {
    const float shrink = std::exp(state.top - top);
    for (std::int64_t d = 0; d < t.head_dim; ++d) state.sums[d] *= shrink;
    state.total *= shrink;
    state.top = top;
  }
  for (std::int64_t j = 0; j < keys; ++j) {
    if (scores[j] == -kInfinity) continue;
    const auto weight = static_cast<tp_fp16>(std::exp(scores[j] - state.top));
    state.total += tp_to_float(weight);
    for (std::int64_t d = 0; d < t.head_dim; ++d) {
      state.sums[d] += tp_to_float(weight) * tp_to_float(v[j * t.v_stride + d]);
    }
  }
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const task_args& t = *args;
  const float scale =
      t.scale != 0 ? static_cast<float>(t.scale) : 1.0F / std::sqrt(static_cast<float>(t.head_dim));
  const std::int64_t blocks = (t.queries + kQueries - 1) / kQueries;
  tp_parallel_for(pool, t.batch * t.q_heads * blocks, [&](std::int64_t task) {
    const std::int64_t image = task / blocks / t.q_heads;
    const std::int64_t head = task / blocks % t.q_heads;
    const std::int64_t kv = head / (t.q_heads / t.kv_heads) * t.head_dim;
    const std::int64_t first = task % blocks * kQueries;
    for (std::int64_t i = first; i < std::min(first + kQueries, t.queries); ++i) {
      const std::int64_t seen = t.causal != 0 ? t.keys - t.queries + i + 1 : t.keys;
      const tp_fp16* q = t.q + (image * t.queries + i) * t.q_stride + head * t.head_dim;
      State state;
      for (std::int64_t j = 0; j < seen; j += kKeys) {
        const std::int64_t row = image * t.keys + j;
        add_block(t, q, t.k + row * t.k_stride + kv, t.v + row * t.v_stride + kv,
                  std::min(kKeys, seen - j), scale, state);
      }
      tp_fp16* out = t.out + ((image * t.queries + i) * t.q_heads + head) * t.head_dim;
      for (std::int64_t d = 0; d < t.head_dim; ++d) {
        out[d] = static_cast<tp_fp16>(state.sums[d] / state.total);
      }
    }
  });
}
