// Each code, by its bits, times the scale of its block of 128 x 128.
#include "task.h"

#include <cmath>
#include <limits>

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::w)>>;

float decode_e4m3(tp_code code) {
  if ((code & 0x7F) == 0x7F) return std::numeric_limits<float>::quiet_NaN();
  const int exponent = code >> 3 & 0xF;
  const int fraction = code & 0x7;
  const float magnitude = exponent == 0
                              ? std::ldexp(static_cast<float>(fraction), -9)
                              : std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
  return code >= 128 ? -magnitude : magnitude;
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t blocks = (args->cols + 127) / 128;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const tp_code* codes = args->codes + row * args->codes_stride;
    for (std::int64_t j = 0; j < args->cols; ++j) {
      const float scale = args->scales[row / 128 * blocks + j / 128];
      args->w[row * args->w_stride + j] = tp_from_float<T>(decode_e4m3(codes[j]) * scale);
    }
  });
}
