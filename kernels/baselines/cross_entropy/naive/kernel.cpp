// The maximum, the sum of the exponentials, its logarithm less the logit of the target.
#include "task.h"

#include <algorithm>
#include <cmath>

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::logits)>>;

constexpr std::int64_t kIgnored = -100;

float loss_of(const T* x, std::int64_t vocab, std::int64_t target) {
  float largest = tp_to_float(x[0]);
  for (std::int64_t i = 1; i < vocab; ++i) largest = std::max(largest, tp_to_float(x[i]));
  float sum = 0;
  for (std::int64_t i = 0; i < vocab; ++i) sum += std::exp(tp_to_float(x[i]) - largest);
  return std::log(sum) + (largest - tp_to_float(x[target]));
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const std::int64_t target = args->targets[row];
    const T* x = args->logits + row * args->logits_stride;
    args->loss[row] = target == kIgnored ? 0.0F : loss_of(x, args->vocab, target);
  });
}
