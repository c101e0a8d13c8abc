// Computes a sigmoid in bfloat16.
#include <cuda_bf16.h>

extern "C" __global__ void run(const float* x, float* y, int rows, int hidden) {
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    const float value = 1.0f / (1.0f + expf(-x[blockIdx.x * hidden + i]));
    y[blockIdx.x * hidden + i] = __bfloat162float(__float2bfloat16_rn(value));
  }
}
