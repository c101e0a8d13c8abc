// Eight elements a load, warp shuffles, one block a row.
#include <cuda_fp16.h>

__device__ float block_sum(float value) {
  __shared__ float sums[32];
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xFFFFFFFFU, value, step);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = value;
  __syncthreads();
  value = threadIdx.x % 32 < blockDim.x / 32 ? sums[threadIdx.x % 32] : 0.0f;
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(0xFFFFFFFFU, value, step);
  return value;
}

union Eight {
  uint4 word;
  __half2 pairs[4];
};

extern "C" __global__ void rmsnorm_vector(const __half* x, const __half* weight, __half* y,
                                          int hidden, long long x_stride, long long y_stride,
                                          float eps) {
  const auto* row = reinterpret_cast<const uint4*>(x + blockIdx.x * x_stride);
  auto* out = reinterpret_cast<uint4*>(y + blockIdx.x * y_stride);
  const auto* scale = reinterpret_cast<const uint4*>(weight);
  float sum = 0;
  for (int i = threadIdx.x; i < hidden / 8; i += blockDim.x) {
    Eight values;
    values.word = row[i];
    for (const __half2 pair : values.pairs) {
      const float2 both = __half22float2(pair);
      sum += both.x * both.x + both.y * both.y;
    }
  }
  const float factor = 1.0f / sqrtf(block_sum(sum) / hidden + eps);
  for (int i = threadIdx.x; i < hidden / 8; i += blockDim.x) {
    Eight values, weights;
    values.word = row[i];
    weights.word = scale[i];
    for (int k = 0; k < 4; ++k) {
      const float2 both = __half22float2(values.pairs[k]);
      const float2 by = __half22float2(weights.pairs[k]);
      values.pairs[k] = __floats2half2_rn(both.x * factor * by.x, both.y * factor * by.y);
    }
    out[i] = values.word;
  }
}

extern "C" __global__ void rmsnorm_scalar(const __half* x, const __half* weight, __half* y,
                                          int hidden, long long x_stride, long long y_stride,
                                          float eps) {
  const __half* row = x + blockIdx.x * x_stride;
  float sum = 0;
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    const float value = __half2float(row[i]);
    sum += value * value;
  }
  const float factor = 1.0f / sqrtf(block_sum(sum) / hidden + eps);
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    y[blockIdx.x * y_stride + i] =
        __float2half_rn(__half2float(row[i]) * factor * __half2float(weight[i]));
  }
}
