// One scan of the row for each expert chosen, those chosen before marked in the workspace.
#include "task.h"

#include <algorithm>
#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->tokens, [&](std::int64_t token) {
    const tp_fp16* logits = args->logits + token * args->logits_stride;
    auto* taken = static_cast<unsigned char*>(args->workspace) + token * args->experts;
    std::fill_n(taken, args->experts, static_cast<unsigned char>(0));
    std::int32_t* indices = args->indices + token * args->topk;
    float* weights = args->weights + token * args->topk;
    float total = 0;
    for (std::int64_t i = 0; i < args->topk; ++i) {
      std::int64_t best = -1;
      for (std::int64_t expert = 0; expert < args->experts; ++expert) {
        if (taken[expert] != 0) continue;
        if (best < 0 || logits[expert] > logits[best]) best = expert;
      }
      taken[best] = 1;
      indices[i] = static_cast<std::int32_t>(best);
      weights[i] = std::exp(tp_to_float(logits[best]) - tp_to_float(logits[indices[0]]));
      total += weights[i];
    }
    for (std::int64_t i = 0; i < args->topk; ++i) weights[i] /= total;
  });
}
