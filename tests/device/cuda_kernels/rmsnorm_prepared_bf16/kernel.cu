// Widens the static weights beforehand, in a prepare launch.
#include <cuda_bf16.h>

extern "C" __global__ void widen(const __nv_bfloat16* weight, float* wide, int hidden) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < hidden) wide[i] = __bfloat162float(weight[i]);
}

extern "C" __global__ void rmsnorm(const __nv_bfloat16* x, const float* wide, __nv_bfloat16* y,
                                   int hidden, long long x_stride, long long y_stride, float eps) {
  __shared__ float sums[128];
  const __nv_bfloat16* row = x + blockIdx.x * x_stride;
  float sum = 0;
  for (int i = threadIdx.x; i < hidden; i += 128) {
    const float value = __bfloat162float(row[i]);
    sum += value * value;
  }
  sums[threadIdx.x] = sum;
  for (int step = 64; step > 0; step /= 2) {
    __syncthreads();
    if (threadIdx.x < step) sums[threadIdx.x] += sums[threadIdx.x + step];
  }
  __syncthreads();
  const float factor = 1.0f / sqrtf(sums[0] / hidden + eps);
  for (int i = threadIdx.x; i < hidden; i += 128) {
    y[blockIdx.x * y_stride + i] =
        __float2bfloat16_rn(__bfloat162float(row[i]) * factor * wide[i]);
  }
}
