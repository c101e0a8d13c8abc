// Rows split over tasks: partial sums of squares meet by atomic additions in the workspace.
#include "task.h"

#include <algorithm>
#include <atomic>
#include <cmath>

namespace {

constexpr std::int64_t kChunk = 256;

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t hidden = args->hidden;
  const std::int64_t chunks = (hidden + kChunk - 1) / kChunk;
  auto* squares = static_cast<float*>(args->workspace);
  std::fill_n(squares, args->rows, 0.0F);
  tp_parallel_for(pool, args->rows * chunks, [&](std::int64_t task) {
    const std::int64_t row = task / chunks;
    const std::int64_t first = task % chunks * kChunk;
    const std::int64_t last = std::min(first + kChunk, hidden);
    const tp_bf16* x = args->x + row * args->x_stride;
    float sum = 0;
    for (std::int64_t i = first; i < last; ++i) sum += tp_to_float(x[i]) * tp_to_float(x[i]);
    std::atomic_ref<float>(squares[row]).fetch_add(sum, std::memory_order_relaxed);
  });
  tp_parallel_for(pool, args->rows * chunks, [&](std::int64_t task) {
    const std::int64_t row = task / chunks;
    const std::int64_t first = task % chunks * kChunk;
    const std::int64_t last = std::min(first + kChunk, hidden);
    const tp_bf16* x = args->x + row * args->x_stride;
    tp_bf16* y = args->y + row * args->y_stride;
    const float mean = squares[row] / static_cast<float>(hidden);
    const float scale = 1.0F / std::sqrt(mean + static_cast<float>(args->eps));
    for (std::int64_t i = first; i < last; ++i) {
      y[i] = tp_to_bf16(tp_to_float(x[i]) * scale * tp_to_float(args->weight[i]));
    }
  });
}
