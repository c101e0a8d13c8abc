// One reciprocal per row; codes found by their distance to the next power of two. No floor.
#include "task.h"

#include <algorithm>
#include <cmath>

namespace {

constexpr float kLargest = 448.0F;

tp_code encode(float x) {
  const float magnitude = std::min(std::fabs(x), kLargest);
  if (std::isnan(x)) return 0x7F;
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude < 2^exponent, but 0 for zero
  exponent = magnitude == 0 ? -6 : std::max(exponent - 1, -6);
  // Eighths of the power of two below, which may carry into the next one.
  const auto eighths = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 3 - exponent)));
  const int code = eighths + (exponent + 6) * 8;
  return static_cast<tp_code>(code | (std::signbit(x) ? 0x80 : 0));
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->tokens, [&](std::int64_t token) {
    const float* x = args->x + token * args->x_stride;
    float most = 0;
    for (std::int64_t i = 0; i < args->hidden; ++i) most = std::max(most, std::fabs(x[i]));
    const float scale = std::max(most / kLargest, static_cast<float>(args->min_scale));
    // A row of zeros has no reciprocal.
    const float inverse = scale > 0 ? 1.0F / scale : 0.0F;
    args->scale[token] = scale;
    for (std::int64_t i = 0; i < args->hidden; ++i) {
      args->q[token * args->hidden + i] = encode(x[i] * inverse);
    }
  });
}
