// A block a row, sixteen bytes a load where rows allow it; the row is read again, for the variance and
// for what comes out, out of a cache.
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


extern "C" __global__ void layernorm_vectors(const T* x, const T* weight, const T* bias, T* y,
                                             int hidden, long long x_stride, long long y_stride,
                                             float eps) {
  const auto* row = reinterpret_cast<const uint4*>(x + blockIdx.x * x_stride);
  const auto* weights = reinterpret_cast<const uint4*>(weight);
  const auto* biases = reinterpret_cast<const uint4*>(bias);
  auto* out = reinterpret_cast<uint4*>(y + blockIdx.x * y_stride);
  const int vectors = hidden / kElements;
  float sum = 0;
  for (int i = threadIdx.x; i < vectors; i += blockDim.x) {
    const Vector values{row[i]};
#pragma unroll
    for (int k = 0; k < kElements; ++k) sum += tp_to_float(values.elements[k]);
  }
  const float mean = block_sum(sum) / hidden;
  float squares = 0;
  for (int i = threadIdx.x; i < vectors; i += blockDim.x) {
    const Vector values{row[i]};
#pragma unroll
    for (int k = 0; k < kElements; ++k) {
      const float deviation = tp_to_float(values.elements[k]) - mean;
      squares += deviation * deviation;
    }
  }
  const float scale = 1.0f / sqrtf(block_sum(squares) / hidden + eps);
  for (int i = threadIdx.x; i < vectors; i += blockDim.x) {
    Vector values{row[i]};
    const Vector by{weights[i]};
    const Vector plus{biases[i]};
#pragma unroll
    for (int k = 0; k < kElements; ++k) {
      const float normalised = (tp_to_float(values.elements[k]) - mean) * scale;
      values.elements[k] = tp_from_float<T>(normalised * tp_to_float(by.elements[k]) +
                                            tp_to_float(plus.elements[k]));
    }
    out[i] = values.words;
  }
}

extern "C" __global__ void layernorm_elements(const T* x, const T* weight, const T* bias, T* y,
                                              int hidden, long long x_stride, long long y_stride, float eps) {
  const T* row = x + blockIdx.x * x_stride;
  T* out = y + blockIdx.x * y_stride;
  float sum = 0;
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) sum += tp_to_float(row[i]);
  const float mean = block_sum(sum) / hidden;
  float squares = 0;
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    const float deviation = tp_to_float(row[i]) - mean;
    squares += deviation * deviation;
  }
  const float scale = 1.0f / sqrtf(block_sum(squares) / hidden + eps);
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    const float normalised = (tp_to_float(row[i]) - mean) * scale;
    out[i] = tp_from_float<T>(normalised * tp_to_float(weight[i]) + tp_to_float(bias[i]));
  }
}
