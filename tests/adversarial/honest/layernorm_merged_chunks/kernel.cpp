// Chan's merge: mean and squared deviations of each chunk, joined two by two in a tree.
#include "task.h"

#include <algorithm>
#include <cmath>

namespace {

constexpr std::int64_t kChunk = 32;

struct Moments {
  float count;
  float mean;
  float squares;
};

Moments moments_of(const tp_bf16* x, std::int64_t count) {
  if (count > kChunk) {
    const std::int64_t half = count / 2;
    const Moments a = moments_of(x, half);
    const Moments b = moments_of(x + half, count - half);
    const float all = a.count + b.count;
    const float apart = b.mean - a.mean;
    return {all, a.mean + apart * (b.count / all),
            a.squares + b.squares + apart * apart * (a.count * b.count / all)};
  }
  float sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += tp_to_float(x[i]);
  Moments moments{static_cast<float>(count), sum / static_cast<float>(count), 0};
  for (std::int64_t i = 0; i < count; ++i) {
    const float deviation = tp_to_float(x[i]) - moments.mean;
    moments.squares += deviation * deviation;
  }
  return moments;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t hidden = args->hidden;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const tp_bf16* x = args->x + row * args->x_stride;
    tp_bf16* y = args->y + row * args->y_stride;
    const Moments row_moments = moments_of(x, hidden);
    const float variance = row_moments.squares / row_moments.count;
    const float scale = 1.0F / std::sqrt(variance + static_cast<float>(args->eps));
    for (std::int64_t i = 0; i < hidden; ++i) {
      const float normalised = (tp_to_float(x[i]) - row_moments.mean) * scale;
      y[i] = tp_to_bf16(normalised * tp_to_float(args->weight[i]) + tp_to_float(args->bias[i]));
    }
  });
}
