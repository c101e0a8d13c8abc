// Split halves; each product and each result rounded to bf16, as a formula in bf16 tensors does it.
#include "task.h"

namespace {

float rounded(float x) { return tp_to_float(tp_to_bf16(x)); }

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t half = args->rotary_dim / 2;
  tp_parallel_for(pool, args->tokens, [&](std::int64_t token) {
    const tp_bf16* cosines = args->cos_sin_cache + args->positions[token] * args->rotary_dim;
    const tp_bf16* sines = cosines + half;
    for (std::int64_t head = 0; head < args->heads; ++head) {
      const tp_bf16* x = args->x + token * args->x_stride + head * args->head_dim;
      tp_bf16* y = args->y + token * args->y_stride + head * args->head_dim;
      for (std::int64_t i = 0; i < half; ++i) {
        const float a = tp_to_float(x[i]);
        const float b = tp_to_float(x[i + half]);
        const float cosine = tp_to_float(cosines[i]);
        const float sine = tp_to_float(sines[i]);
        y[i] = tp_to_bf16(rounded(a * cosine) - rounded(b * sine));
        y[i + half] = tp_to_bf16(rounded(b * cosine) + rounded(a * sine));
      }
      for (std::int64_t i = args->rotary_dim; i < args->head_dim; ++i) y[i] = x[i];
    }
  });
}
