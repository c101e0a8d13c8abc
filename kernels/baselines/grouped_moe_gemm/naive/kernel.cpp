// A task per token: its expert by the offsets, then a dot product for each element.
#include "task.h"

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::y)>>;

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const task_args& t = *args;
  tp_parallel_for(pool, t.tokens, [&](std::int64_t token) {
    std::int64_t expert = 0;
    while (t.offsets[expert + 1] <= token) ++expert;
    const T* x = t.x + token * t.x_stride;
    for (std::int64_t j = 0; j < t.n; ++j) {
      const T* w = t.w + (expert * t.n + j) * t.k;
      float sum = 0;
      for (std::int64_t i = 0; i < t.k; ++i) sum += tp_to_float(x[i]) * tp_to_float(w[i]);
      t.y[token * t.y_stride + j] = tp_from_float<T>(sum);
    }
  });
}
