// Sorts keys that hold the logit, turned into an ordered integer, above the expert's number.
#include "task.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace {

// Ascending integers for descending floats; NaNs have a place of their own at either end.
std::uint64_t key_of(float logit, std::int64_t expert) {
  const auto bits = std::bit_cast<std::uint32_t>(logit);
  const std::uint32_t ascending = (bits >> 31) != 0 ? ~bits : bits | 0x80000000U;
  return static_cast<std::uint64_t>(~ascending) << 32 | static_cast<std::uint64_t>(expert);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t experts = args->experts;
  tp_parallel_for(pool, args->tokens, [&](std::int64_t token) {
    const float* logits = args->logits + token * args->logits_stride;
    std::uint64_t* keys = static_cast<std::uint64_t*>(args->workspace) + token * experts;
    for (std::int64_t i = 0; i < experts; ++i) keys[i] = key_of(logits[i], i);
    std::partial_sort(keys, keys + args->topk, keys + experts);
    const float top = logits[keys[0] & 0xFFFFFFFFU];
    float total = 0;
    for (std::int64_t i = 0; i < experts; ++i) total += std::exp(logits[i] - top);
    for (std::int64_t i = 0; i < args->topk; ++i) {
      const auto expert = static_cast<std::int32_t>(keys[i] & 0xFFFFFFFFU);
      args->indices[token * args->topk + i] = expert;
      args->weights[token * args->topk + i] = std::exp(logits[expert] - top) / total;
    }
  });
}
