// im2col: the patches of an image's group as fp32 columns in the workspace, then a product.
#include "task.h"

#include <algorithm>

namespace {

struct Shape {
  std::int64_t channels;
  std::int64_t taps;
  std::int64_t rows;
  std::int64_t columns;
};

// One tap of one channel, at every place of the output; padding becomes zeros.
void fill_row(const task_args& t, const Shape& shape, std::int64_t image, std::int64_t group,
              std::int64_t tap, float* to) {
  const std::int64_t channel = tap / (t.kernel_h * t.kernel_w);
  const std::int64_t i = tap / t.kernel_w % t.kernel_h;
  const std::int64_t j = tap % t.kernel_w;
  const tp_fp16* x =
      t.x + (image * t.in_channels + group * shape.channels + channel) * t.height * t.width;
  for (std::int64_t row = 0; row < shape.rows; ++row) {
    const std::int64_t h = row * t.stride - t.padding + i * t.dilation;
    for (std::int64_t column = 0; column < shape.columns; ++column) {
      const std::int64_t w = column * t.stride - t.padding + j * t.dilation;
      const bool inside = h >= 0 && h < t.height && w >= 0 && w < t.width;
      *to++ = inside ? tp_to_float(x[h * t.width + w]) : 0.0F;
    }
  }
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  constexpr std::int64_t kBlock = 64;
  const task_args& t = *args;
  const std::int64_t channels = t.in_channels / t.groups;
  const Shape shape{channels, channels * t.kernel_h * t.kernel_w,
                    (t.height + 2 * t.padding - t.dilation * (t.kernel_h - 1) - 1) / t.stride + 1,
                    (t.width + 2 * t.padding - t.dilation * (t.kernel_w - 1) - 1) / t.stride + 1};
  const std::int64_t places = shape.rows * shape.columns;
  const std::int64_t per_group = t.out_channels / t.groups;
  auto* patches = static_cast<float*>(t.workspace);
  for (std::int64_t part = 0; part < t.batch * t.groups; ++part) {
    const std::int64_t image = part / t.groups;
    const std::int64_t group = part % t.groups;
    tp_parallel_for(pool, shape.taps, [&](std::int64_t tap) {
      fill_row(t, shape, image, group, tap, patches + tap * places);
    });
    tp_parallel_for(pool, per_group, [&](std::int64_t task) {
      const std::int64_t channel = group * per_group + task;
      tp_fp16* y = t.y + (image * t.out_channels + channel) * places;
      for (std::int64_t first = 0; first < places; first += kBlock) {
        const std::int64_t width = std::min(kBlock, places - first);
        float sums[kBlock] = {};
        for (std::int64_t tap = 0; tap < shape.taps; ++tap) {
          const float weight = tp_to_float(t.weight[channel * shape.taps + tap]);
          const float* from = patches + tap * places + first;
          for (std::int64_t i = 0; i < width; ++i) sums[i] += weight * from[i];
        }
        const float bias = tp_to_float(t.bias_values[channel]);
        for (std::int64_t i = 0; i < width; ++i)
          y[first + i] = static_cast<tp_fp16>(sums[i] + bias);
      }
    });
  }
}
