// A block a row, which is read once: in vectors of sixteen bytes that stay in registers, as floats
// from the first exponential on. How many a thread has follows from the row's length.
#include "task.h"

// Sixteen bytes.
constexpr int kElements = 16 / sizeof(T);
union Vector {
  uint4 words;
  T elements[kElements];
};

// Of a block's threads, in all of them.
__device__ float block_max(float value) {
  __shared__ float largest[32];
  for (int step = 16; step > 0; step /= 2) value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFU, value, step));
  __syncthreads();
  if (threadIdx.x % 32 == 0) largest[threadIdx.x / 32] = value;
  __syncthreads();
  value = threadIdx.x % 32 < blockDim.x / 32 ? largest[threadIdx.x % 32] : -INFINITY;
  for (int step = 16; step > 0; step /= 2) value = fmaxf(value, __shfl_xor_sync(0xFFFFFFFFU, value, step));
  return value;
}

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
__device__ void softmax(const T* x, T* y, int hidden, long long x_stride, long long y_stride) {
  const auto* row = reinterpret_cast<const uint4*>(x + blockIdx.x * x_stride);
  auto* out = reinterpret_cast<uint4*>(y + blockIdx.x * y_stride);
  const int vectors = hidden / kElements;
  Vector loaded[kVectors];
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const int i = threadIdx.x + v * blockDim.x;
    loaded[v].words = i < vectors ? __ldcs(row + i) : uint4{};
  }
  float values[kVectors][kElements];
  float largest = -INFINITY;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const bool inside = threadIdx.x + v * blockDim.x < vectors;
#pragma unroll
    for (int k = 0; k < kElements; ++k) {
      values[v][k] = inside ? tp_to_float(loaded[v].elements[k]) : -INFINITY;
      largest = fmaxf(largest, values[v][k]);
    }
  }
  largest = block_max(largest);
  float sum = 0;
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
#pragma unroll
    for (int k = 0; k < kElements; ++k) {
      values[v][k] = expf(values[v][k] - largest);
      sum += values[v][k];
    }
  }
  sum = block_sum(sum);
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const int i = threadIdx.x + v * blockDim.x;
    Vector result;
#pragma unroll
    for (int k = 0; k < kElements; ++k) result.elements[k] = tp_from_float<T>(values[v][k] / sum);
    if (i < vectors) __stcs(out + i, result.words);
  }
}

#define KERNEL(vectors, threads)                                                          \
  extern "C" __global__ void __launch_bounds__(threads) softmax_##vectors(                \
      const T* x, T* y, int hidden, long long x_stride, long long y_stride) {             \
    softmax<vectors>(x, y, hidden, x_stride, y_stride);                                   \
  }
KERNEL(1, 256)
KERNEL(2, 512)
KERNEL(4, 512)

extern "C" __global__ void softmax_elements(const T* x, T* y, int hidden, long long x_stride,
                                            long long y_stride) {
  const T* row = x + blockIdx.x * x_stride;
  T* out = y + blockIdx.x * y_stride;
  float largest = -INFINITY;
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    largest = fmaxf(largest, tp_to_float(row[i]));
  }
  largest = block_max(largest);
  float sum = 0;
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) sum += expf(tp_to_float(row[i]) - largest);
  sum = block_sum(sum);
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    out[i] = tp_from_float<T>(expf(tp_to_float(row[i]) - largest) / sum);
  }
}
