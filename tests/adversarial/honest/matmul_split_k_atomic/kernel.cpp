// Split-K: slices of 48 products added to fp32 sums in the workspace by atomics, then rounded.
#include "task.h"

#include <algorithm>
#include <atomic>

namespace {

constexpr std::int64_t kSlice = 48;

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  auto* sums = static_cast<float*>(args->workspace);
  std::fill_n(sums, args->m * args->n, 0.0F);
  const std::int64_t slices = (args->k + kSlice - 1) / kSlice;
  tp_parallel_for(pool, args->m * slices, [&](std::int64_t task) {
    const std::int64_t row = task / slices;
    const std::int64_t first = task % slices * kSlice;
    const std::int64_t last = std::min(first + kSlice, args->k);
    const tp_fp16* a = args->a + row * args->a_stride;
    for (std::int64_t j = 0; j < args->n; ++j) {
      float sum = 0;
      for (std::int64_t p = first; p < last; ++p) {
        sum += tp_to_float(a[p]) * tp_to_float(args->b[p * args->b_stride + j]);
      }
      std::atomic_ref<float>(sums[row * args->n + j]).fetch_add(sum, std::memory_order_relaxed);
    }
  });
  for (std::int64_t row = 0; row < args->m; ++row) {
    for (std::int64_t j = 0; j < args->n; ++j) {
      args->y[row * args->y_stride + j] = static_cast<tp_fp16>(sums[row * args->n + j]);
    }
  }
}
