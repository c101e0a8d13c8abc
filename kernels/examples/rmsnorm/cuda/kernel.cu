// A block a row, which is read once: in vectors of sixteen bytes that stay in registers. How many a
// thread has follows from the row's length; the weights are on their way while the squares are summed.
#include "task.h"

// Sixteen bytes.
constexpr int kElements = 16 / sizeof(T);
union Vector {
  uint4 words;
  T elements[kElements];
};

// Of a block's threads, in all of them.
__device__ float block_sum(float value) {
  __shared__ float sums[32];
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xFFFFFFFFU, value, step);
  __syncthreads();
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = value;
  __syncthreads();
  value = threadIdx.x % 32 < blockDim.x / 32 ? sums[threadIdx.x % 32] : 0.0f;
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xFFFFFFFFU, value, step);
  return value;
}

template <int kVectors>
__device__ void rmsnorm(const T* x, const T* weight, T* y, int hidden, long long x_stride,
                        long long y_stride, float eps) {
  const auto* row = reinterpret_cast<const uint4*>(x + blockIdx.x * x_stride);
  const auto* weights = reinterpret_cast<const uint4*>(weight);
  auto* out = reinterpret_cast<uint4*>(y + blockIdx.x * y_stride);
  const int vectors = hidden / kElements;
  Vector values[kVectors], by[kVectors];
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const int i = threadIdx.x + v * blockDim.x;
    values[v].words = i < vectors ? __ldcs(row + i) : uint4{};
  }
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const int i = threadIdx.x + v * blockDim.x;
    by[v].words = i < vectors ? __ldg(weights + i) : uint4{};
  }
  float squares = 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
#pragma unroll
    for (int k = 0; k < kElements; ++k) {
      const float value = tp_to_float(values[v].elements[k]);
      squares += value * value;
    }
  }
  const float scale = 1.0f / sqrtf(block_sum(squares) / hidden + eps);
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const int i = threadIdx.x + v * blockDim.x;
#pragma unroll
    for (int k = 0; k < kElements; ++k) {
      values[v].elements[k] = tp_from_float<T>(tp_to_float(values[v].elements[k]) * scale *
                                               tp_to_float(by[v].elements[k]));
    }
    if (i < vectors) __stcs(out + i, values[v].words);
  }
}

#define KERNEL(vectors, threads)                                                           \
  extern "C" __global__ void __launch_bounds__(threads)                                    \
      rmsnorm_##vectors(const T* x, const T* weight, T* y, int hidden, long long x_stride, \
                        long long y_stride, float eps) {                                   \
    rmsnorm<vectors>(x, weight, y, hidden, x_stride, y_stride, eps);                       \
  }
KERNEL(1, 256)
KERNEL(2, 512)
KERNEL(4, 512)
KERNEL(8, 512)

extern "C" __global__ void rmsnorm_elements(const T* x, const T* weight, T* y, int hidden,
                                            long long x_stride, long long y_stride, float eps) {
  const T* row = x + blockIdx.x * x_stride;
  T* out = y + blockIdx.x * y_stride;
  float squares = 0;
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    const float value = tp_to_float(row[i]);
    squares += value * value;
  }
  const float scale = 1.0f / sqrtf(block_sum(squares) / hidden + eps);
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    out[i] = tp_from_float<T>(tp_to_float(row[i]) * scale * tp_to_float(weight[i]));
  }
}
