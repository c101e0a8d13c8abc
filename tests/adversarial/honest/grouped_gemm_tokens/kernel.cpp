// A task per token: its expert by binary search in the offsets, dot products in eight lanes.
#include "task.h"

#include <algorithm>

namespace {

float dot(const tp_bf16* a, const tp_bf16* b, std::int64_t count) {
  float lanes[8] = {};
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int lane = 0; lane < 8; ++lane) {
      lanes[lane] += tp_to_float(a[i + lane]) * tp_to_float(b[i + lane]);
    }
  }
  for (; i < count; ++i) lanes[i % 8] += tp_to_float(a[i]) * tp_to_float(b[i]);
  return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
         ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->tokens, [&](std::int64_t token) {
    const std::int32_t* last = args->offsets + args->experts + 1;
    const std::int64_t expert = std::upper_bound(args->offsets, last, token) - args->offsets - 1;
    const tp_bf16* w = args->w + expert * args->n * args->k;
    for (std::int64_t j = 0; j < args->n; ++j) {
      const float sum = dot(args->x + token * args->x_stride, w + j * args->k, args->k);
      args->y[token * args->y_stride + j] = tp_to_bf16(sum);
    }
  });
}
