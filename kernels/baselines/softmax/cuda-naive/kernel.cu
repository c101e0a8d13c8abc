// A block a row: the maximum, the sum of the exponentials, then each divided by it.
#include "task.h"

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

extern "C" __global__ void softmax(const T* x, T* y, int hidden, long long x_stride,
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
