// Seven loops; taps that lie in the padding are left out.
#include "task.h"

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::y)>>;

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const task_args& t = *args;
  const std::int64_t channels = t.in_channels / t.groups;
  const std::int64_t per_group = t.out_channels / t.groups;
  const std::int64_t rows =
      (t.height + 2 * t.padding - t.dilation * (t.kernel_h - 1) - 1) / t.stride + 1;
  const std::int64_t columns =
      (t.width + 2 * t.padding - t.dilation * (t.kernel_w - 1) - 1) / t.stride + 1;
  const auto at = [&](std::int64_t image, std::int64_t channel, std::int64_t row,
                      std::int64_t column) {
    float sum = t.bias != 0 ? tp_to_float(t.bias_values[channel]) : 0.0F;
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t source = channel / per_group * channels + c;
      const T* x = t.x + (image * t.in_channels + source) * t.height * t.width;
      const T* weight = t.weight + (channel * channels + c) * t.kernel_h * t.kernel_w;
      for (std::int64_t i = 0; i < t.kernel_h; ++i) {
        const std::int64_t h = row * t.stride - t.padding + i * t.dilation;
        if (h < 0 || h >= t.height) continue;
        for (std::int64_t j = 0; j < t.kernel_w; ++j) {
          const std::int64_t w = column * t.stride - t.padding + j * t.dilation;
          if (w < 0 || w >= t.width) continue;
          sum += tp_to_float(x[h * t.width + w]) * tp_to_float(weight[i * t.kernel_w + j]);
        }
      }
    }
    return sum;
  };
  tp_parallel_for(pool, t.batch * t.out_channels, [&](std::int64_t task) {
    T* y = t.y + task * rows * columns;
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t column = 0; column < columns; ++column) {
        const float sum = at(task / t.out_channels, task % t.out_channels, row, column);
        y[row * columns + column] = tp_from_float<T>(sum);
      }
    }
  });
}
