// The softmax of a row, and a scan of it for each expert chosen.
#include "task.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::logits)>>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// A NaN comes last, so that rows that hold one still name different experts.
float rank_of(T logit) {
  const float value = tp_to_float(logit);
  return std::isnan(value) ? -kInfinity : value;
}

// The first expert behind `previous` in descending order of logits, of equal ones in that of ids.
std::int64_t next_after(const T* logits, std::int64_t experts, std::int64_t previous) {
  std::int64_t best = -1;
  for (std::int64_t i = 0; i < experts; ++i) {
    if (previous >= 0) {
      const float limit = rank_of(logits[previous]);
      if (rank_of(logits[i]) > limit || (rank_of(logits[i]) == limit && i <= previous)) continue;
    }
    if (best < 0 || rank_of(logits[i]) > rank_of(logits[best])) best = i;
  }
  return best;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->tokens, [&](std::int64_t token) {
    const T* logits = args->logits + token * args->logits_stride;
    std::int32_t* indices = args->indices + token * args->topk;
    float* weights = args->weights + token * args->topk;
    std::int64_t expert = -1;
    float chosen = 0;
    for (std::int64_t i = 0; i < args->topk; ++i) {
      expert = next_after(logits, args->experts, expert);
      indices[i] = static_cast<std::int32_t>(expert);
      weights[i] = std::exp(tp_to_float(logits[expert]) - tp_to_float(logits[indices[0]]));
      chosen += weights[i];
    }
    float all = 0;
    for (std::int64_t i = 0; i < args->experts; ++i) {
      all += std::exp(tp_to_float(logits[i]) - tp_to_float(logits[indices[0]]));
    }
    const float total = args->renormalize != 0 ? chosen : all;
    for (std::int64_t i = 0; i < args->topk; ++i) weights[i] /= total;
  });
}
