// Three loops: a row of y is the sum of rows of b, each times an element of a.
#include "task.h"

#include <algorithm>
#include <cmath>

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::y)>>;

constexpr std::int64_t kColumns = 64;

float activated(float x, int activation) {
  if (activation == 1) return x < 0 ? 0.0F : x;
  if (activation == 2) {
    return 0.5F * x * (1.0F + std::tanh(0.797884561F * (x + 0.044715F * x * x * x)));
  }
  if (activation == 3) return x / (1.0F + std::exp(-x));
  return x;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const task_args& t = *args;
  const auto activation = static_cast<int>(t.activation);
  tp_parallel_for(pool, t.m, [&](std::int64_t row) {
    for (std::int64_t first = 0; first < t.n; first += kColumns) {
      const std::int64_t width = std::min(kColumns, t.n - first);
      float sums[kColumns] = {};
      for (std::int64_t i = 0; i < t.k; ++i) {
        const float a = tp_to_float(t.a[row * t.a_stride + i]);
        const T* b = t.b + i * t.b_stride + first;
        for (std::int64_t j = 0; j < width; ++j) sums[j] += a * tp_to_float(b[j]);
      }
      for (std::int64_t j = 0; j < width; ++j) {
        if (t.bias != 0) sums[j] += tp_to_float(t.bias_values[first + j]);
        t.y[row * t.y_stride + first + j] = tp_from_float<T>(activated(sums[j], activation));
      }
    }
  });
}
