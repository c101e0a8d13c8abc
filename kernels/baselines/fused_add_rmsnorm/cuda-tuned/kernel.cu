// A block a row, sixteen bytes a load where rows allow it; what was stored as the new residual is
// read again out of a cache.
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

extern "C" __global__ void fused_vectors(const T* x, const T* weight, T* residual, T* y, int hidden,
                                         long long x_stride, float eps) {
  const long long begin = static_cast<long long>(blockIdx.x) * hidden;
  const auto* row = reinterpret_cast<const uint4*>(x + blockIdx.x * x_stride);
  const auto* weights = reinterpret_cast<const uint4*>(weight);
  auto* kept = reinterpret_cast<uint4*>(residual + begin);
  auto* out = reinterpret_cast<uint4*>(y + begin);
  const int vectors = hidden / kElements;
  float squares = 0;
  for (int i = threadIdx.x; i < vectors; i += blockDim.x) {
    const Vector values{row[i]};
    Vector sums{kept[i]};
#pragma unroll
    for (int k = 0; k < kElements; ++k) {
      sums.elements[k] =
          tp_from_float<T>(tp_to_float(values.elements[k]) + tp_to_float(sums.elements[k]));
      squares += tp_to_float(sums.elements[k]) * tp_to_float(sums.elements[k]);
    }
    kept[i] = sums.words;
  }
  const float scale = 1.0f / sqrtf(block_sum(squares) / hidden + eps);
  for (int i = threadIdx.x; i < vectors; i += blockDim.x) {
    Vector values{kept[i]};
    const Vector by{weights[i]};
#pragma unroll
    for (int k = 0; k < kElements; ++k) {
      values.elements[k] = tp_from_float<T>(tp_to_float(values.elements[k]) * scale *
                                            tp_to_float(by.elements[k]));
    }
    out[i] = values.words;
  }
}

extern "C" __global__ void fused_elements(const T* x, const T* weight, T* residual, T* y, int hidden,
                                          long long x_stride, float eps) {
  const long long begin = static_cast<long long>(blockIdx.x) * hidden;
  const T* row = x + blockIdx.x * x_stride;
  T* kept = residual + begin;
  float squares = 0;
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    const T sum = tp_from_float<T>(tp_to_float(row[i]) + tp_to_float(kept[i]));
    kept[i] = sum;
    squares += tp_to_float(sum) * tp_to_float(sum);
  }
  const float scale = 1.0f / sqrtf(block_sum(squares) / hidden + eps);
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    y[begin + i] = tp_from_float<T>(tp_to_float(kept[i]) * scale * tp_to_float(weight[i]));
  }
}
