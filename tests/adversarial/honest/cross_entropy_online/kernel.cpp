// Online log-sum-exp in scalar fp32; the target's logit is taken from the maximum, not from the
// sum.
#include "task.h"

#include <cmath>
#include <limits>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const std::int64_t target = args->targets[row];
    if (target == -100) {
      args->loss[row] = 0;
      return;
    }
    const float* x = args->logits + row * args->logits_stride;
    float largest = -kInfinity;
    float sum = 0;
    for (std::int64_t i = 0; i < args->vocab; ++i) {
      if (x[i] == -kInfinity) continue;
      if (x[i] > largest) {
        sum = sum * std::exp(largest - x[i]) + 1.0F;
        largest = x[i];
      } else {
        sum += std::exp(x[i] - largest);
      }
    }
    const bool defined = largest < kInfinity && largest > -kInfinity;
    args->loss[row] =
        defined ? std::log(sum) + (largest - x[target]) : std::numeric_limits<float>::quiet_NaN();
  });
}
