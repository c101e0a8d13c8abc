// Split contexts: maximum, sum and weighted values of each piece in the workspace, joined
// afterwards.
#include "task.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr std::int64_t kPiece = 32;  // positions

// e^(score - top); a score of -infinity weighs nothing even where the top is -infinity, too.
float weight_of(float score, float top) {
  return score == -kInfinity ? 0.0F : std::exp(score - top);
}

struct Place {
  std::int64_t sequence;
  std::int64_t head;
  std::int64_t first;
  std::int64_t last;
};

// The key or value of a position.
const tp_fp16* row_of(const task_args& t, const tp_fp16* cache, const Place& place,
                      std::int64_t i) {
  const std::int64_t block = t.block_tables[place.sequence * t.pages + i / t.page_size];
  const std::int64_t kv_head = place.head / (t.q_heads / t.kv_heads);
  return cache + ((block * t.page_size + i % t.page_size) * t.kv_heads + kv_head) * t.head_dim;
}

void attend(const task_args& t, const Place& place, float scale, float* partial) {
  const tp_fp16* q = t.q + place.sequence * t.q_stride + place.head * t.head_dim;
  float scores[kPiece];
  float top = -kInfinity;
  for (std::int64_t i = place.first; i < place.last; ++i) {
    const tp_fp16* key = row_of(t, t.key_cache, place, i);
    float sum = 0;
    for (std::int64_t d = 0; d < t.head_dim; ++d) sum += tp_to_float(q[d]) * tp_to_float(key[d]);
    scores[i - place.first] = sum * scale;
    top = std::max(top, sum * scale);
  }
  float* out = partial + 2;
  std::fill_n(out, t.head_dim, 0.0F);
  float total = 0;
  for (std::int64_t i = place.first; i < place.last; ++i) {
    const float weight = weight_of(scores[i - place.first], top);
    const tp_fp16* value = row_of(t, t.value_cache, place, i);
    for (std::int64_t d = 0; d < t.head_dim; ++d) out[d] += weight * tp_to_float(value[d]);
    total += weight;
  }
  partial[0] = top;
  partial[1] = total;
}

void join(const task_args& t, const float* partials, std::int64_t pieces, tp_fp16* out) {
  const std::int64_t size = t.head_dim + 2;
  float top = -kInfinity;
  for (std::int64_t i = 0; i < pieces; ++i) top = std::max(top, partials[i * size]);
  float total = 0;
  for (std::int64_t i = 0; i < pieces; ++i) {
    total += partials[i * size + 1] * weight_of(partials[i * size], top);
  }
  for (std::int64_t d = 0; d < t.head_dim; ++d) {
    float sum = 0;
    for (std::int64_t i = 0; i < pieces; ++i) {
      sum += partials[i * size + 2 + d] * weight_of(partials[i * size], top);
    }
    out[d] = static_cast<tp_fp16>(sum / total);
  }
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const task_args& t = *args;
  const float scale =
      t.scale != 0 ? static_cast<float>(t.scale) : 1.0F / std::sqrt(static_cast<float>(t.head_dim));
  auto* partials = static_cast<float*>(t.workspace);
  const std::int64_t most = (t.pages * t.page_size + kPiece - 1) / kPiece;
  const std::int64_t size = t.head_dim + 2;
  tp_parallel_for(pool, t.batch * t.q_heads * most, [&](std::int64_t task) {
    const std::int64_t head = task / most;
    const std::int64_t length = t.context_lens[head / t.q_heads];
    const std::int64_t first = task % most * kPiece;
    if (first >= length) return;
    attend(t, {head / t.q_heads, head % t.q_heads, first, std::min(first + kPiece, length)}, scale,
           partials + task * size);
  });
  tp_parallel_for(pool, t.batch * t.q_heads, [&](std::int64_t head) {
    const std::int64_t pieces = (t.context_lens[head / t.q_heads] + kPiece - 1) / kPiece;
    join(t, partials + head * most * size, pieces, t.out + head * t.head_dim);
  });
}
