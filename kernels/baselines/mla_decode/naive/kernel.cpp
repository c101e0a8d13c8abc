// One position after the other; what is summed is scaled down when a larger score comes.
#include "task.h"

#include <cmath>
#include <limits>

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::out)>>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::int64_t kMostRank = 512;

// Values weighted by e^score, all of it less the largest score so far.
struct Average {
  float top = -kInfinity;
  float total = 0;
  float sums[kMostRank] = {};

  void add(float score, const T* value, std::int64_t size) {
    // It weighs nothing, beside another one as well.
    if (score == -kInfinity) return;
    if (score > top) {
      const float factor = std::exp(top - score);
      top = score;
      total *= factor;
      for (std::int64_t d = 0; d < size; ++d) sums[d] *= factor;
    }
    const float weight = std::exp(score - top);
    total += weight;
    for (std::int64_t d = 0; d < size; ++d) sums[d] += weight * tp_to_float(value[d]);
  }
};

float dot(const T* a, const T* b, std::int64_t count) {
  float sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += tp_to_float(a[i]) * tp_to_float(b[i]);
  return sum;
}

void attend(const task_args& t, std::int64_t task) {
  const std::int64_t sequence = task / t.heads;
  // A position of the context: its latent, then its rotary key.
  const auto position = [&](std::int64_t i) {
    const std::int64_t block = t.block_tables[sequence * t.pages + i / t.page_size];
    return t.latent_cache + (block * t.page_size + i % t.page_size) * (t.kv_lora_rank + t.rope_dim);
  };
  const auto score = [&](std::int64_t i) {
    const T* key = position(i);
    const float nope = dot(t.q_nope + task * t.q_nope_stride, key, t.kv_lora_rank);
    const float pe = dot(t.q_pe + task * t.q_pe_stride, key + t.kv_lora_rank, t.rope_dim);
    return static_cast<float>(t.scale) * (nope + pe);
  };
  const std::int64_t length = t.context_lens[sequence];
  Average average;
  for (std::int64_t i = 0; i < length; ++i) average.add(score(i), position(i), t.kv_lora_rank);
  T* out = t.out + task * t.kv_lora_rank;
  for (std::int64_t d = 0; d < t.kv_lora_rank; ++d)
    out[d] = tp_from_float<T>(average.sums[d] / average.total);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->batch * args->heads, [&](std::int64_t task) { attend(*args, task); });
}
