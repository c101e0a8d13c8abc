// A constexpr table of all 256 values of e4m3.
#include "task.h"

#include <array>
#include <limits>

namespace {

constexpr std::array<float, 256> make_values() {
  std::array<float, 256> values{};
  for (int code = 0; code < 256; ++code) {
    const int exponent = code >> 3 & 0xF;
    const int fraction = code & 0x7;
    float value = exponent == 0 ? static_cast<float>(fraction) : static_cast<float>(8 + fraction);
    for (int i = exponent; i > 10; --i) value *= 2;
    for (int i = exponent == 0 ? 1 : exponent; i < 10; ++i) value /= 2;
    if ((code & 0x7F) == 0x7F) value = std::numeric_limits<float>::quiet_NaN();
    values[code] = code >= 128 ? -value : value;
  }
  return values;
}
constexpr std::array<float, 256> kValues = make_values();

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t blocks = (args->cols + 127) / 128;
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    const tp_code* codes = args->codes + row * args->codes_stride;
    for (std::int64_t j = 0; j < args->cols; ++j) {
      const float scale = args->scales[row / 128 * blocks + j / 128];
      args->w[row * args->w_stride + j] = tp_to_bf16(kValues[codes[j]] * scale);
    }
  });
}
