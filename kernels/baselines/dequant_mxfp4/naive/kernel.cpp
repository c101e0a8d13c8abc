// Each code, by a table, times the power of two of its block.
#include "task.h"

#include <cmath>
#include <limits>

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::w)>>;

constexpr float kCodes[16] = {0.0F,  0.5F,  1.0F,  1.5F,  2.0F,  3.0F,  4.0F,  6.0F,
                              -0.0F, -0.5F, -1.0F, -1.5F, -2.0F, -3.0F, -4.0F, -6.0F};

float scale_of(tp_code code) {
  return code == 255 ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0F, code - 127);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t blocks = args->cols / 32;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const tp_code* codes = args->codes + row * args->cols / 2;
    for (std::int64_t j = 0; j < args->cols; ++j) {
      const float code = kCodes[codes[j / 2] >> (j % 2 * 4) & 0xF];
      const float scale = scale_of(args->scales[row * blocks + j / 32]);
      args->w[row * args->w_stride + j] = tp_from_float<T>(code * scale);
    }
  });
}
