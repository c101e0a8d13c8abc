// One key after the other; what is summed is scaled down when a larger score comes.
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

// Of one query and head; the keys and values it sees are rows `first` to `last`.
void attend(const task_args& t, const T* q, std::int64_t kv, std::int64_t first, std::int64_t last,
            T* out) {
  const float scale =
      t.scale != 0 ? static_cast<float>(t.scale) : 1.0F / std::sqrt(static_cast<float>(t.head_dim));
  Average average;
  for (std::int64_t j = first; j < last; ++j) {
    const float score = scale * dot(q, t.k + j * t.k_stride + kv, t.head_dim);
    average.add(score, t.v + j * t.v_stride + kv, t.head_dim);
  }
  for (std::int64_t d = 0; d < t.head_dim; ++d)
    out[d] = tp_from_float<T>(average.sums[d] / average.total);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const task_args& t = *args;
  tp_parallel_for(pool, t.batch * t.queries, [&](std::int64_t query) {
    const std::int64_t first = query / t.queries * t.keys;
    const std::int64_t seen = t.causal != 0 ? t.keys - t.queries + query % t.queries + 1 : t.keys;
    for (std::int64_t head = 0; head < t.q_heads; ++head) {
      const std::int64_t kv = head / (t.q_heads / t.kv_heads) * t.head_dim;
      attend(t, t.q + query * t.q_stride + head * t.head_dim, kv, first, first + seen,
             t.out + (query * t.q_heads + head) * t.head_dim);
    }
  });
}
