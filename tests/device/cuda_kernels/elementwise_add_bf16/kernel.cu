// A grid-stride loop over elements of any alignment.
#include <cuda_bf16.h>

extern "C" __global__ void add(const __nv_bfloat16* a, const __nv_bfloat16* b, __nv_bfloat16* y,
                               long long size) {
  const long long step = static_cast<long long>(gridDim.x) * blockDim.x;
  for (long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x; i < size;
       i += step) {
    y[i] = __float2bfloat16_rn(__bfloat162float(a[i]) + __bfloat162float(b[i]));
  }
}
