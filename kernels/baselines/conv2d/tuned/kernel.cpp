// Tasks are a band of output pixels in up to 64 channels of a group. What a band sees of the input
// is laid out as floats with its zeros around, a stride's columns and rows apart, so that each tap
// is a shift: a micro-kernel keeps 8 channels x 48 pixels (AVX-512) or 4 x 24 (AVX2) in registers
// while it goes through the taps. Elsewhere loops that the compiler vectorises.
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
constexpr std::int64_t kMostStride = 8;
constexpr std::int64_t kLanes = 16;         // pixels are summed up in multiples
constexpr std::int64_t kPanel = 8;          // output channels that are summed up together
constexpr std::int64_t kMostOutputs = 64;   // channels of a task
constexpr std::int64_t kMostPixels = 1024;  // of a band, between its rows' ends included
constexpr std::int64_t kMostColumns = 256;
// One channel seen by 16 pixels of a row fits: 16 taps, dilation 8 and stride 8 take 128 x 248.
constexpr std::int64_t kLeastColumns = 16;
constexpr std::int64_t kPatch = 32768;
constexpr std::int64_t kSums = 32768;
constexpr std::int64_t kDepth = 512;       // products to a pixel between two looks at its sums
constexpr std::int64_t kFewChannels = 16;  // bands are narrow enough for as many in a patch
constexpr std::int64_t kSlack = 64;        // what a tile's last pixels read beyond a patch

std::int64_t pieces(std::int64_t whole, std::int64_t piece) { return (whole + piece - 1) / piece; }
std::int64_t round_up(std::int64_t size, std::int64_t to) { return pieces(size, to) * to; }

// Rows, or columns, of a patch. Pixel p meets tap i at p stride + i dilation; those with the same
// remainder by the stride lie together, remainders that no tap has are left out.
struct Phases {
  std::int64_t count = 0;
  std::int64_t slot[kMostStride];  // of a remainder, or -1

  Phases(std::int64_t taps, std::int64_t dilation, std::int64_t stride) {
    std::fill(slot, slot + kMostStride, -1);
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      std::int64_t& of_tap = slot[tap * dilation % stride];
      if (of_tap < 0) of_tap = count++;
    }
  }
};

// How the work is cut, the same for all tasks.
struct Cut {
  std::int64_t channels;   // of the input, in a group
  std::int64_t per_group;  // channels of the output
  std::int64_t taps;
  std::int64_t rows, columns;            // of the output
  std::int64_t outputs;                  // channels of a task
  std::int64_t band_rows, band_columns;  // of the output
  Phases down, across;
  std::int64_t patch_rows, pitch;  // of a phase
  std::int64_t plane, patch;       // floats of a phase and of a channel
  std::int64_t depth;              // channels of a patch
  std::int64_t sums_pitch;
  std::int32_t offset[kDepth];  // of a product's values within the patch

  [[nodiscard]] std::int64_t blocks() const { return pieces(per_group, outputs); }
  [[nodiscard]] std::int64_t bands() const {
    return pieces(rows, band_rows) * pieces(columns, band_columns);
  }

  explicit Cut(const task_args& t, std::int64_t threads)
      : channels(t.in_channels / t.groups),
        per_group(t.out_channels / t.groups),
        taps(t.kernel_h * t.kernel_w),
        rows(extent(t, t.height, t.kernel_h)),
        columns(extent(t, t.width, t.kernel_w)),
        outputs(std::min(per_group, kMostOutputs)),
        band_rows(rows),
        band_columns(pieces(columns, pieces(columns, kMostColumns))),
        down(t.kernel_h, t.dilation, t.stride),
        across(t.kernel_w, t.dilation, t.stride) {
    measure(t);
    const std::int64_t most = std::min(kMostPixels, kSums / outputs / kLanes * kLanes);
    band_rows = std::clamp<std::int64_t>(most / pitch, 1, rows);
    band_rows = pieces(rows, pieces(rows, band_rows));
    measure(t);
    const std::int64_t at_once = std::min(channels, kFewChannels);
    while (patch * at_once > kPatch && (band_rows > 1 || band_columns > kLeastColumns)) {
      halve();
      measure(t);
    }
    while (t.batch * t.groups * blocks() * bands() < 2 * threads && threads > 1) {
      if (band_rows > 1 && band_rows * pitch > kMostPixels / 8) {
        halve();
      } else if (outputs > kPanel) {
        outputs = round_up(outputs / 2, kPanel);
      } else {
        break;
      }
      measure(t);
    }
    depth = std::min({channels, kPatch / patch, kDepth / taps});
    sums_pitch = round_up((band_rows - 1) * pitch + band_columns, kLanes);
    lay_out(t);
  }

 private:
  static std::int64_t extent(const task_args& t, std::int64_t size, std::int64_t kernel) {
    return (size + 2 * t.padding - t.dilation * (kernel - 1) - 1) / t.stride + 1;
  }
  void halve() {
    if (band_rows > 1) {
      band_rows = (band_rows + 1) / 2;
    } else {
      band_columns = std::max(kLeastColumns, band_columns / 2);
    }
  }
  void measure(const task_args& t) {
    patch_rows = band_rows + t.dilation * (t.kernel_h - 1) / t.stride;
    pitch = band_columns + t.dilation * (t.kernel_w - 1) / t.stride;
    plane = patch_rows * pitch;
    patch = down.count * across.count * plane;
  }
  void lay_out(const task_args& t) {
    std::int32_t* to = offset;
    for (std::int64_t channel = 0; channel < depth; ++channel) {
      for (std::int64_t i = 0; i < t.kernel_h * t.dilation; i += t.dilation) {
        for (std::int64_t j = 0; j < t.kernel_w * t.dilation; j += t.dilation) {
          const std::int64_t phase =
              down.slot[i % t.stride] * across.count + across.slot[j % t.stride];
          *to++ = static_cast<std::int32_t>(channel * patch + phase * plane + i / t.stride * pitch +
                                            j / t.stride);
        }
      }
    }
  }
};

struct Scratch {
  alignas(64) float patch[kPatch + kSlack];
  alignas(64) float sums[kSums];
  float weights[std::is_same_v<T, float> ? 1 : kMostOutputs * kDepth];
  float row[kMostColumns * kMostStride + 128];
};

// Sums over products with the values at `offset`s from a pixel's own place in the patch.
struct Products {
  const float* weights;
  std::int64_t weights_pitch;  // from one output channel to the next
  const std::int32_t* offset;
  std::int64_t count;
  bool first;  // of its pixels: there are no sums yet
  std::int64_t sums_pitch;
};

// The compiler vectorises no conversion of fp16.
LEVEL3 inline void widen_f16c(const tp_fp16* from, float* to, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    _mm256_storeu_ps(to + i, _mm256_cvtph_ps(half));
  }
  for (; i < count; ++i) to[i] = tp_to_float(from[i]);
}

template <bool kWide, typename E>
INLINE void widen(const E* from, float* to, std::int64_t count) {
  if constexpr (kWide && std::is_same_v<E, tp_fp16>) {
    widen_f16c(from, to, count);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = tp_to_float(from[i]);
  }
}

LEVEL3 inline void store_f16c(const float* from, float bias, tp_fp16* to, std::int64_t count) {
  const __m256 addend = _mm256_set1_ps(bias);
  std::int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 sum = _mm256_add_ps(_mm256_loadu_ps(from + i), addend);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i),
                     _mm256_cvtps_ph(sum, _MM_FROUND_TO_NEAREST_INT));
  }
  for (; i < count; ++i) to[i] = tp_from_float<tp_fp16>(from[i] + bias);
}

template <bool kWide, typename E>
INLINE void store(const float* from, float bias, E* to, std::int64_t count) {
  if constexpr (kWide && std::is_same_v<E, tp_fp16>) {
    store_f16c(from, bias, to, count);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = tp_from_float<E>(from[i] + bias);
  }
}

template <int kHeight, int kVectors>
LEVEL4 void multiply_avx512(const Products& p, const float* weights, const float* b, float* sums) {
  __m512 sum[kHeight][kVectors];
  for (int r = 0; r < kHeight; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      sum[r][v] = p.first ? _mm512_setzero_ps() : _mm512_loadu_ps(sums + r * p.sums_pitch + 16 * v);
    }
  }
  for (std::int64_t k = 0; k < p.count; ++k) {
    const float* from = b + p.offset[k];
    __m512 values[kVectors];
    for (int v = 0; v < kVectors; ++v) values[v] = _mm512_loadu_ps(from + 16 * v);
#pragma GCC unroll 8
    for (int r = 0; r < kHeight; ++r) {
      const __m512 weight = _mm512_set1_ps(weights[r * p.weights_pitch + k]);
      for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm512_fmadd_ps(weight, values[v], sum[r][v]);
    }
  }
  for (int r = 0; r < kHeight; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      _mm512_storeu_ps(sums + r * p.sums_pitch + 16 * v, sum[r][v]);
    }
  }
}

template <int kHeight, int kVectors>
LEVEL3 void multiply_avx2(const Products& p, const float* weights, const float* b, float* sums) {
  __m256 sum[kHeight][kVectors];
  for (int r = 0; r < kHeight; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      sum[r][v] = p.first ? _mm256_setzero_ps() : _mm256_loadu_ps(sums + r * p.sums_pitch + 8 * v);
    }
  }
  for (std::int64_t k = 0; k < p.count; ++k) {
    const float* from = b + p.offset[k];
    __m256 values[kVectors];
    for (int v = 0; v < kVectors; ++v) values[v] = _mm256_loadu_ps(from + 8 * v);
#pragma GCC unroll 4
    for (int r = 0; r < kHeight; ++r) {
      const __m256 weight = _mm256_set1_ps(weights[r * p.weights_pitch + k]);
      for (int v = 0; v < kVectors; ++v) sum[r][v] = _mm256_fmadd_ps(weight, values[v], sum[r][v]);
    }
  }
  for (int r = 0; r < kHeight; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      _mm256_storeu_ps(sums + r * p.sums_pitch + 8 * v, sum[r][v]);
    }
  }
}

struct AnyLevel {
  static constexpr bool kWide = false;
  static constexpr std::int64_t kVector = kLanes;
  static constexpr int kMostHeight = 1;
  template <int kHeight, int kVectors>
  static void multiply(const Products& p, const float* weights, const float* b, float* sums) {
    float sum[kVectors * kVector] = {};
    if (!p.first) std::copy(sums, sums + kVectors * kVector, sum);
    for (std::int64_t k = 0; k < p.count; ++k) {
      const float* from = b + p.offset[k];
      for (std::int64_t j = 0; j < kVectors * kVector; ++j) sum[j] += weights[k] * from[j];
    }
    std::copy(sum, sum + kVectors * kVector, sums);
  }
};

struct Level3 {
  static constexpr bool kWide = true;
  static constexpr std::int64_t kVector = 8;
  static constexpr int kMostHeight = 4;
  template <int kHeight, int kVectors>
  static void multiply(const Products& p, const float* weights, const float* b, float* sums) {
    multiply_avx2<kHeight, kVectors>(p, weights, b, sums);
  }
};

struct Level4 {
  static constexpr bool kWide = true;
  static constexpr std::int64_t kVector = 16;
  static constexpr int kMostHeight = 8;
  template <int kHeight, int kVectors>
  static void multiply(const Products& p, const float* weights, const float* b, float* sums) {
    multiply_avx512<kHeight, kVectors>(p, weights, b, sums);
  }
};

// `outputs` channels of a tile, the tallest panels first.
template <typename Level, int kVectors, int kHeight = Level::kMostHeight>
void tile_of(const Products& p, std::int64_t outputs, const float* weights, const float* b,
             float* sums) {
  std::int64_t r = 0;
  for (; r + kHeight <= outputs; r += kHeight) {
    Level::template multiply<kHeight, kVectors>(p, weights + r * p.weights_pitch, b,
                                                sums + r * p.sums_pitch);
  }
  if constexpr (kHeight > 1) {
    tile_of<Level, kVectors, kHeight / 2>(p, outputs - r, weights + r * p.weights_pitch, b,
                                          sums + r * p.sums_pitch);
  }
}

template <typename Level>
void tiles_of(const Products& p, std::int64_t outputs, std::int64_t pixels, Scratch& scratch) {
  constexpr std::int64_t kVector = Level::kVector;
  for (std::int64_t at = 0; at < pixels; at += 3 * kVector) {
    const float* b = scratch.patch + at;
    float* sums = scratch.sums + at;
    if (at + 2 * kVector < pixels) {
      tile_of<Level, 3>(p, outputs, p.weights, b, sums);
    } else if (at + kVector < pixels) {
      tile_of<Level, 2>(p, outputs, p.weights, b, sums);
    } else {
      tile_of<Level, 1>(p, outputs, p.weights, b, sums);
    }
  }
}

// A row of a channel's patch: the first column is `left` of the image, `x` is null in the padding.
template <bool kWide>
INLINE void pack_row(const task_args& t, const Cut& cut, const T* x, std::int64_t left, float* row,
                     float* to) {
  const std::int64_t width = cut.pitch * t.stride;
  float* line = t.stride == 1 ? to : row;
  const std::int64_t begin = std::clamp<std::int64_t>(-left, 0, width);
  const std::int64_t end = std::clamp<std::int64_t>(t.width - left, begin, width);
  if (x == nullptr) {
    std::fill(line, line + width, 0.0F);
  } else {
    std::fill(line, line + begin, 0.0F);
    widen<kWide>(x + left + begin, line + begin, end - begin);
    std::fill(line + end, line + width, 0.0F);
  }
  if (t.stride == 1) return;
  for (std::int64_t phase = 0; phase < t.stride; ++phase) {
    if (cut.across.slot[phase] < 0) continue;
    float* column = to + cut.across.slot[phase] * cut.plane;
    for (std::int64_t j = 0; j < cut.pitch; ++j) column[j] = row[j * t.stride + phase];
  }
}

// `x` is the channel's plane.
template <bool kWide>
INLINE void pack(const task_args& t, const Cut& cut, const T* x, std::int64_t top,
                 std::int64_t left, float* row, float* to) {
  for (std::int64_t phase = 0; phase < t.stride; ++phase) {
    if (cut.down.slot[phase] < 0) continue;
    float* plane = to + cut.down.slot[phase] * cut.across.count * cut.plane;
    for (std::int64_t i = 0; i < cut.patch_rows; ++i) {
      const std::int64_t h = top + i * t.stride + phase;
      const T* from = h >= 0 && h < t.height ? x + h * t.width : nullptr;
      pack_row<kWide>(t, cut, from, left, row, plane + i * cut.pitch);
    }
  }
}

template <typename Level>
INLINE void task_of(const task_args& t, const Cut& cut, std::int64_t task) {
  const std::int64_t across = pieces(cut.columns, cut.band_columns);
  const std::int64_t band = task % cut.bands();
  const std::int64_t block = task / cut.bands() % cut.blocks();
  const std::int64_t group = task / cut.bands() / cut.blocks() % t.groups;
  const std::int64_t image = task / cut.bands() / cut.blocks() / t.groups;
  const std::int64_t row = band / across * cut.band_rows;
  const std::int64_t column = band % across * cut.band_columns;
  const std::int64_t rows = std::min(cut.band_rows, cut.rows - row);
  const std::int64_t columns = std::min(cut.band_columns, cut.columns - column);
  const std::int64_t pixels = (rows - 1) * cut.pitch + columns;
  const std::int64_t outputs = std::min(cut.outputs, cut.per_group - block * cut.outputs);
  const std::int64_t output = group * cut.per_group + block * cut.outputs;
  Scratch scratch;
  for (std::int64_t first = 0; first < cut.channels; first += cut.depth) {
    const std::int64_t depth = std::min(cut.depth, cut.channels - first);
    const std::int64_t channel = image * t.in_channels + group * cut.channels + first;
    for (std::int64_t c = 0; c < depth; ++c) {
      pack<Level::kWide>(t, cut, t.x + (channel + c) * t.height * t.width,
                         row * t.stride - t.padding, column * t.stride - t.padding, scratch.row,
                         scratch.patch + c * cut.patch);
    }
    float* end = scratch.patch + depth * cut.patch;
    std::fill(end, end + kSlack, 0.0F);

    const T* weights = t.weight + (output * cut.channels + first) * cut.taps;
    Products p{nullptr,    cut.channels * cut.taps, cut.offset, depth * cut.taps,
               first == 0, cut.sums_pitch};
    if constexpr (std::is_same_v<T, float>) {
      p.weights = weights;
    } else {
      for (std::int64_t r = 0; r < outputs; ++r) {
        widen<Level::kWide>(weights + r * p.weights_pitch, scratch.weights + r * kDepth, p.count);
      }
      p.weights = scratch.weights;
      p.weights_pitch = kDepth;
    }
    tiles_of<Level>(p, outputs, pixels, scratch);
  }
  for (std::int64_t r = 0; r < outputs; ++r) {
    const float bias = t.bias != 0 ? tp_to_float(t.bias_values[output + r]) : 0.0F;
    const float* sums = scratch.sums + r * cut.sums_pitch;
    T* y = t.y + (image * t.out_channels + output + r) * cut.rows * cut.columns +
           row * cut.columns + column;
    for (std::int64_t i = 0; i < rows; ++i) {
      store<Level::kWide>(sums + i * cut.pitch, bias, y + i * cut.columns, columns);
    }
  }
}

void any_level(const task_args& t, const Cut& cut, std::int64_t task) {
  task_of<AnyLevel>(t, cut, task);
}
LEVEL3 void level3(const task_args& t, const Cut& cut, std::int64_t task) {
  task_of<Level3>(t, cut, task);
}
LEVEL4 void level4(const task_args& t, const Cut& cut, std::int64_t task) {
  task_of<Level4>(t, cut, task);
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const Cut cut(*args, pool->threads);
  const auto run = pool->isa_level >= 4 ? level4 : pool->isa_level == 3 ? level3 : any_level;
  tp_parallel_for(pool, args->batch * args->groups * cut.blocks() * cut.bands(),
                  [&](std::int64_t task) { run(*args, cut, task); });
}
