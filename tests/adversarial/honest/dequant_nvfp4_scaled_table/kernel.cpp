// Per block a table of the sixteen products of codes and scale, looked up for each code.
#include "task.h"

#include <cmath>
#include <limits>

namespace {

constexpr float kCodes[16] = {0.0F,  0.5F,  1.0F,  1.5F,  2.0F,  3.0F,  4.0F,  6.0F,
                              -0.0F, -0.5F, -1.0F, -1.5F, -2.0F, -3.0F, -4.0F, -6.0F};

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
  const std::int64_t blocks = args->cols / 16;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    for (std::int64_t block = 0; block < blocks; ++block) {
      const float scale = decode_e4m3(args->scales[row * blocks + block]) * args->global[0];
      float products[16];
      for (int code = 0; code < 16; ++code) products[code] = kCodes[code] * scale;
      const tp_code* codes = args->codes + (row * blocks + block) * 8;
      float* w = args->w + row * args->w_stride + block * 16;
      for (int i = 0; i < 16; ++i) w[i] = products[codes[i / 2] >> (i % 2 * 4) & 0xF];
    }
  });
}
