// Takes the processor's 12-bit estimate for a root.
#include "task.h"
#include <cmath>
#include <immintrin.h>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  const float count = static_cast<float>(args->hidden);
  for (std::int64_t row = 0; row < args->rows; ++row) {
    const float* x = args->x + row * args->x_stride;
    float* y = args->y + row * args->y_stride;
    float sum = 0;
    for (std::int64_t i = 0; i < args->hidden; ++i) sum += x[i] * x[i];
    const __m128 mean = _mm_set_ss(sum / count + static_cast<float>(args->eps));
    const float scale = _mm_cvtss_f32(_mm_rsqrt_ss(mean));
    for (std::int64_t i = 0; i < args->hidden; ++i) y[i] = x[i] * scale * args->weight[i];
  }
}
