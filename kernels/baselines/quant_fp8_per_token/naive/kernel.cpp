// Rounds to e4m3 on the bits of the float: half to even at the fourth bit, denormals by an integer.
#include "task.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::x)>>;

constexpr float kLargest = 448.0F;

tp_code encode(float x) {
  const float clamped = std::clamp(x, -kLargest, kLargest);
  const auto bits = std::bit_cast<std::uint32_t>(clamped);
  const std::uint32_t sign = bits >> 24 & 0x80U;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude > 0x7F800000U) return static_cast<tp_code>(sign | 0x7FU);
  if (magnitude < 0x3C800000U) {  // below 2^-6: multiples of 2^-9
    const float steps = std::nearbyint(std::fabs(clamped) * 512.0F);
    return static_cast<tp_code>(sign | static_cast<std::uint32_t>(steps));
  }
  const std::uint32_t rounded = magnitude + 0x7FFFFU + (magnitude >> 20 & 1U);
  return static_cast<tp_code>(sign | ((rounded >> 20) - (120U << 3)));
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->tokens, [&](std::int64_t token) {
    const T* x = args->x + token * args->x_stride;
    float most = 0;
    for (std::int64_t i = 0; i < args->hidden; ++i) {
      most = std::max(most, std::fabs(tp_to_float(x[i])));
    }
    const float scale = std::max(most / kLargest, static_cast<float>(args->min_scale));
    args->scale[token] = scale;
    for (std::int64_t i = 0; i < args->hidden; ++i) {
      // Without a floor the scale of a row of zeros is zero.
      const float value = tp_to_float(x[i]);
      args->q[token * args->hidden + i] = encode(value == 0 ? 0.0F : value / scale);
    }
  });
}
