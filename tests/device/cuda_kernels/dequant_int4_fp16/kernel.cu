// One thread a byte of two codes.
#include <cuda_fp16.h>

extern "C" __global__ void dequant(const unsigned char* codes, const __half* scales,
                                   const unsigned char* zeros, __half* w, int n, int group,
                                   long long w_stride, int symmetric) {
  const int pair = blockIdx.x * blockDim.x + threadIdx.x;
  if (pair >= n / 2) return;
  const long long row = blockIdx.y;
  const long long block = row / group;
  const int code = codes[row * (n / 2) + pair];
  const int zero = symmetric ? 0x88 : zeros[block * (n / 2) + pair];
  for (int half = 0; half < 2; ++half) {
    const int difference = ((code >> (4 * half)) & 15) - ((zero >> (4 * half)) & 15);
    const float scale = __half2float(scales[block * n + 2 * pair + half]);
    w[row * w_stride + 2 * pair + half] = __float2half_rn(difference * scale);
  }
}
