// Tasks are a row of the output in four channels of a group: rows of the input become floats once,
// and their taps are added up along the columns. Loops that the compiler vectorises for each level
// of the architecture; the processor's own is chosen at run time.
#include "task.h"

#include <algorithm>

#include <immintrin.h>

#define INLINE inline __attribute__((always_inline))
#define LEVEL3 __attribute__((target("avx2,fma,f16c,bmi2")))
#define LEVEL4                                              \
  __attribute__((                                           \
      target("avx512f,avx512bw,avx512vl,avx512dq,avx512cd," \
             "avx2,fma,f16c,bmi2,prefer-vector-width=512")))

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::y)>>;
constexpr std::int64_t kChannels = 4;
constexpr std::int64_t kColumns = 128;

struct Geometry {
  std::int64_t channels;   // of the input, in a group
  std::int64_t per_group;  // channels of the output
  std::int64_t blocks;     // of kChannels, in a group
  std::int64_t rows;
  std::int64_t columns;
};

Geometry geometry_of(const task_args& t) {
  const auto extent = [&](std::int64_t size, std::int64_t kernel) {
    return (size + 2 * t.padding - t.dilation * (kernel - 1) - 1) / t.stride + 1;
  };
  const std::int64_t per_group = t.out_channels / t.groups;
  return {t.in_channels / t.groups, per_group, (per_group + kChannels - 1) / kChannels,
          extent(t.height, t.kernel_h), extent(t.width, t.kernel_w)};
}

// The compiler vectorises no conversion of fp16.
LEVEL3 inline void widen_f16c(const tp_fp16* from, float* to, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(half));
  }
  for (; i < count; ++i) to[i] = tp_to_float(from[i]);
}

// A block as floats: where it is, or converted into `buffer`.
template <bool kWide, typename E>
INLINE const float* widen(const E* from, float* buffer, std::int64_t count) {
  if constexpr (std::is_same_v<E, float>) {
    return from;
  } else if constexpr (kWide && std::is_same_v<E, tp_fp16>) {
    widen_f16c(from, buffer, count);
    return buffer;
  } else {
    for (std::int64_t i = 0; i < count; ++i) buffer[i] = tp_to_float(from[i]);
    return buffer;
  }
}

INLINE void add_taps(const float* __restrict x, std::int64_t stride, const float* weights,
                     float (*__restrict sums)[kColumns], std::int64_t first, std::int64_t last) {
  for (std::int64_t channel = 0; channel < kChannels; ++channel) {
    const float weight = weights[channel];
    float* __restrict to = sums[channel];
    if (stride == 1) {
      for (std::int64_t j = first; j < last; ++j) to[j] += x[j] * weight;
    } else {
      for (std::int64_t j = first; j < last; ++j) to[j] += x[j * stride] * weight;
    }
  }
}

// One row of taps: input row `x`, weights of this row of the kernel from `weight` on.
template <bool kWide>
INLINE void add_row(const task_args& t, const T* x, const T* weight, std::int64_t step,
                    std::int64_t count, std::int64_t column, std::int64_t columns,
                    float (*sums)[kColumns]) {
  // What these columns see of the row.
  const std::int64_t left = column * t.stride - t.padding;
  const std::int64_t begin = std::max<std::int64_t>(left, 0);
  const std::int64_t end =
      std::min(t.width, left + (columns - 1) * t.stride + t.dilation * (t.kernel_w - 1) + 1);
  if (begin >= end) return;
  // A stride of at most 8, and 15 taps with a dilation of at most 8.
  float buffer[kColumns * 8 + 128];
  const float* values = widen<kWide>(x + begin, buffer, end - begin);
  for (std::int64_t tap = 0; tap < t.kernel_w; ++tap) {
    // Column j of these sees input column left + j stride + tap dilation.
    const std::int64_t offset = left + tap * t.dilation;
    const std::int64_t first = offset < 0 ? (-offset + t.stride - 1) / t.stride : 0;
    const std::int64_t last =
        offset >= t.width ? 0 : std::min(columns, (t.width - 1 - offset) / t.stride + 1);
    float weights[kChannels] = {};
    for (std::int64_t channel = 0; channel < count; ++channel) {
      weights[channel] = tp_to_float(weight[channel * step + tap]);
    }
    add_taps(values + (offset - begin), t.stride, weights, sums, first, last);
  }
}

template <bool kWide>
INLINE void columns_of(const task_args& t, const Geometry& g, std::int64_t image,
                       std::int64_t group, std::int64_t first_channel, std::int64_t row,
                       std::int64_t column) {
  const std::int64_t columns = std::min(kColumns, g.columns - column);
  const std::int64_t count = std::min(kChannels, g.per_group - first_channel);
  const std::int64_t channel = group * g.per_group + first_channel;
  const std::int64_t plane = t.kernel_h * t.kernel_w;
  float sums[kChannels][kColumns] = {};
  for (std::int64_t c = 0; c < g.channels; ++c) {
    const T* x = t.x + (image * t.in_channels + group * g.channels + c) * t.height * t.width;
    for (std::int64_t i = 0; i < t.kernel_h; ++i) {
      const std::int64_t h = row * t.stride - t.padding + i * t.dilation;
      if (h < 0 || h >= t.height) continue;
      const T* weight = t.weight + (channel * g.channels + c) * plane + i * t.kernel_w;
      add_row<kWide>(t, x + h * t.width, weight, g.channels * plane, count, column, columns, sums);
    }
  }
  for (std::int64_t k = 0; k < count; ++k) {
    const float bias = t.bias != 0 ? tp_to_float(t.bias_values[channel + k]) : 0.0F;
    T* y = t.y + ((image * t.out_channels + channel + k) * g.rows + row) * g.columns + column;
    for (std::int64_t j = 0; j < columns; ++j) y[j] = tp_from_float<T>(sums[k][j] + bias);
  }
}

template <bool kWide>
INLINE void task_of(const task_args& t, const Geometry& g, std::int64_t task) {
  const std::int64_t row = task % g.rows;
  const std::int64_t block = task / g.rows % g.blocks;
  const std::int64_t group = task / g.rows / g.blocks % t.groups;
  const std::int64_t image = task / g.rows / g.blocks / t.groups;
  for (std::int64_t column = 0; column < g.columns; column += kColumns) {
    columns_of<kWide>(t, g, image, group, block * kChannels, row, column);
  }
}

void any_level(const task_args& t, const Geometry& g, std::int64_t task) {
  task_of<false>(t, g, task);
}
LEVEL3 void level3(const task_args& t, const Geometry& g, std::int64_t task) {
  task_of<true>(t, g, task);
}
LEVEL4 void level4(const task_args& t, const Geometry& g, std::int64_t task) {
  task_of<true>(t, g, task);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const task_args& t = *args;
  const Geometry g = geometry_of(t);
  const auto run = pool->isa_level >= 4 ? level4 : pool->isa_level == 3 ? level3 : any_level;
  tp_parallel_for(pool, t.batch * t.groups * g.blocks * g.rows,
                  [&](std::int64_t task) { run(t, g, task); });
}
