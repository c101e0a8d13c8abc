// Split-K: four partial products in the workspace, joined in a second pass with bias and relu.
#include "task.h"

#include <algorithm>

namespace {

constexpr std::int64_t kSplits = 4;

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t n = args->n;
  const std::int64_t size = args->m * n;
  auto* partials = static_cast<float*>(args->workspace);
  tp_parallel_for(pool, kSplits * args->m, [&](std::int64_t task) {
    const std::int64_t split = task / args->m;
    const std::int64_t row = task % args->m;
    float* sums = partials + split * size + row * n;
    std::fill_n(sums, n, 0.0F);
    for (std::int64_t p = args->k * split / kSplits; p < args->k * (split + 1) / kSplits; ++p) {
      const float a = tp_to_float(args->a[row * args->a_stride + p]);
      const tp_bf16* b = args->b + p * args->b_stride;
      for (std::int64_t j = 0; j < n; ++j) sums[j] += a * tp_to_float(b[j]);
    }
  });
  tp_parallel_for(pool, args->m, [&](std::int64_t row) {
    for (std::int64_t j = 0; j < n; ++j) {
      float sum = tp_to_float(args->bias_values[j]);
      for (std::int64_t split = 0; split < kSplits; ++split) {
        sum += partials[split * size + row * n + j];
      }
      // Not std::max: a NaN must stay.
      args->y[row * args->y_stride + j] = tp_to_bf16(sum < 0 ? 0.0F : sum);
    }
  });
}
