// One thread a pair, both pairings.
#include <cuda_fp16.h>

extern "C" __global__ void rope(const __half* x, const long long* positions, const __half* cache,
                                __half* y, int heads, int head_dim, int rotary_dim,
                                long long x_stride, long long y_stride, int interleaved) {
  const int half = rotary_dim / 2;
  const __half* in = x + blockIdx.x * x_stride + blockIdx.y * head_dim;
  __half* out = y + blockIdx.x * y_stride + blockIdx.y * head_dim;
  const __half* angles = cache + positions[blockIdx.x] * rotary_dim;
  for (int i = threadIdx.x; i < half; i += blockDim.x) {
    const int first = interleaved ? 2 * i : i;
    const int second = interleaved ? first + 1 : first + half;
    const float cosine = __half2float(angles[i]);
    const float sine = __half2float(angles[half + i]);
    const float a = __half2float(in[first]);
    const float b = __half2float(in[second]);
    out[first] = __float2half_rn(a * cosine - b * sine);
    out[second] = __float2half_rn(b * cosine + a * sine);
  }
  for (int i = rotary_dim + threadIdx.x; i < head_dim; i += blockDim.x) out[i] = in[i];
}
