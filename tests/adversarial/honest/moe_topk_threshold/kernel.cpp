// The topk-th largest key bit by bit, then all above it and as many equal ones as there is room
// for.
#include "task.h"

#include <cmath>

namespace {

// An integer in the order of the logits; NaNs have a place of their own at either end.
std::uint32_t key_of(tp_bf16 logit) {
  return (logit.bits & 0x8000U) != 0 ? 0xFFFFU ^ logit.bits : 0x8000U | logit.bits;
}

std::uint32_t threshold_of(const tp_bf16* logits, std::int64_t experts, std::int64_t topk) {
  std::uint32_t threshold = 0;
  for (std::uint32_t bit = 0x8000; bit != 0; bit >>= 1) {
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < experts; ++i) count += key_of(logits[i]) >= (threshold | bit);
    if (count >= topk) threshold |= bit;
  }
  return threshold;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->tokens, [&](std::int64_t token) {
    const tp_bf16* logits = args->logits + token * args->logits_stride;
    std::int32_t* indices = args->indices + token * args->topk;
    float* weights = args->weights + token * args->topk;
    const std::uint32_t threshold = threshold_of(logits, args->experts, args->topk);
    std::int64_t count = 0;
    for (int pass = 0; pass < 2; ++pass) {
      for (std::int64_t i = 0; i < args->experts && count < args->topk; ++i) {
        const std::uint32_t key = key_of(logits[i]);
        if (pass == 1 ? key == threshold : key > threshold) {
          indices[count++] = static_cast<std::int32_t>(i);
        }
      }
    }
    float top = tp_to_float(logits[indices[0]]);
    for (std::int64_t i = 1; i < count; ++i) top = std::fmax(top, tp_to_float(logits[indices[i]]));
    float total = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      weights[i] = std::exp(tp_to_float(logits[indices[i]]) - top);
      total += weights[i];
    }
    for (std::int64_t i = 0; i < count; ++i) weights[i] /= total;
  });
}
