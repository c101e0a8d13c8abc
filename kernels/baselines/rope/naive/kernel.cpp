// Each pair turned by the angle of its position; what lies behind rotary_dim is copied.
#include "task.h"

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::y)>>;

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t half = args->rotary_dim / 2;
  const bool interleaved = args->interleaved != 0;
  tp_parallel_for(pool, args->tokens, [&](std::int64_t token) {
    const T* cosines = args->cos_sin_cache + args->positions[token] * args->rotary_dim;
    const T* sines = cosines + half;
    for (std::int64_t head = 0; head < args->heads; ++head) {
      const T* x = args->x + token * args->x_stride + head * args->head_dim;
      T* y = args->y + token * args->y_stride + head * args->head_dim;
      for (std::int64_t i = 0; i < half; ++i) {
        const std::int64_t first = interleaved ? 2 * i : i;
        const std::int64_t second = interleaved ? first + 1 : i + half;
        const float a = tp_to_float(x[first]);
        const float b = tp_to_float(x[second]);
        const float cosine = tp_to_float(cosines[i]);
        const float sine = tp_to_float(sines[i]);
        y[first] = tp_from_float<T>(a * cosine - b * sine);
        y[second] = tp_from_float<T>(b * cosine + a * sine);
      }
      for (std::int64_t i = args->rotary_dim; i < args->head_dim; ++i) y[i] = x[i];
    }
  });
}
