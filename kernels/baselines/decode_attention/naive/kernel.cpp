// One position after the other; what is summed is scaled down when a larger score comes.
#include "task.h"

#include <cmath>
#include <limits>

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::out)>>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::int64_t kMostHeadDim = 256;

// Values weighted by e^score, all of it less the largest score so far.
struct Average {
  float top = -kInfinity;
  float total = 0;
  float sums[kMostHeadDim] = {};

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

void attend(const task_args& t, std::int64_t sequence, std::int64_t head) {
  const std::int64_t kv_head = head / (t.q_heads / t.kv_heads);
  // Where the key or value of a position lies in its cache.
  const auto place = [&](std::int64_t i) {
    const std::int64_t block = t.block_tables[sequence * t.pages + i / t.page_size];
    return ((block * t.page_size + i % t.page_size) * t.kv_heads + kv_head) * t.head_dim;
  };
  const T* q = t.q + sequence * t.q_stride + head * t.head_dim;
  const float scale =
      t.scale != 0 ? static_cast<float>(t.scale) : 1.0F / std::sqrt(static_cast<float>(t.head_dim));
  const std::int64_t length = t.context_lens[sequence];
  Average average;
  for (std::int64_t i = 0; i < length; ++i) {
    const float score = scale * dot(q, t.key_cache + place(i), t.head_dim);
    average.add(score, t.value_cache + place(i), t.head_dim);
  }
  T* out = t.out + (sequence * t.q_heads + head) * t.head_dim;
  for (std::int64_t d = 0; d < t.head_dim; ++d)
    out[d] = tp_from_float<T>(average.sums[d] / average.total);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->batch * args->q_heads, [&](std::int64_t task) {
    attend(*args, task / args->q_heads, task % args->q_heads);
  });
}
