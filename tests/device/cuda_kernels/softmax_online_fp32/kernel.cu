// Online maximum and sum, merged by warp shuffles.
#include <math_constants.h>

struct Partial {
  float most;
  float sum;
};

// A part that saw only -inf, or nothing, has a sum of 0 and weighs nothing.
__device__ Partial merged(Partial a, Partial b) {
  if (b.sum == 0) return a;
  if (a.sum == 0) return b;
  const float most = fmaxf(a.most, b.most);
  return {most, a.sum * expf(a.most - most) + b.sum * expf(b.most - most)};
}

__device__ Partial over_warp(Partial part) {
  for (int step = 16; step > 0; step /= 2) {
    const Partial other = {__shfl_xor_sync(0xFFFFFFFFU, part.most, step),
                           __shfl_xor_sync(0xFFFFFFFFU, part.sum, step)};
    part = merged(part, other);
  }
  return part;
}

extern "C" __global__ void softmax(const float* x, float* y, int hidden, long long x_stride,
                                   long long y_stride) {
  __shared__ Partial parts[8];
  const float* row = x + blockIdx.x * x_stride;
  Partial part = {-CUDART_INF_F, 0};
  for (int i = threadIdx.x; i < hidden; i += 256) {
    if (row[i] == -CUDART_INF_F) continue;
    part = merged(part, {row[i], isinf(row[i]) ? CUDART_NAN_F : 1.0f});
    // fmaxf leaves NaN out; the sum must not.
    if (isnan(row[i])) part.sum = row[i];
  }
  part = over_warp(part);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = part;
  __syncthreads();
  part = threadIdx.x % 32 < 8 ? parts[threadIdx.x % 32] : Partial{-CUDART_INF_F, 0};
  part = over_warp(part);
  for (int i = threadIdx.x; i < hidden; i += 256) {
    y[blockIdx.x * y_stride + i] = expf(row[i] - part.most) / part.sum;
  }
}
