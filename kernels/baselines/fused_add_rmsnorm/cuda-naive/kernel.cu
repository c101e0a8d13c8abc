// A block a row: the sum is stored as the new residual; what was stored is normalised.
#include "task.h"

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

extern "C" __global__ void fused_add_rmsnorm(const T* x, const T* weight, T* residual, T* y,
                                             int hidden, long long x_stride, float eps) {
  const T* row = x + blockIdx.x * x_stride;
  T* kept = residual + static_cast<long long>(blockIdx.x) * hidden;
  T* out = y + static_cast<long long>(blockIdx.x) * hidden;
  float squares = 0;
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    const T sum = tp_from_float<T>(tp_to_float(row[i]) + tp_to_float(kept[i]));
    kept[i] = sum;
    squares += tp_to_float(sum) * tp_to_float(sum);
  }
  const float scale = 1.0f / sqrtf(block_sum(squares) / hidden + eps);
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    out[i] = tp_from_float<T>(tp_to_float(kept[i]) * scale * tp_to_float(weight[i]));
  }
}
