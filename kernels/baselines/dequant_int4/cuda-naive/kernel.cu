// A byte, two codes, a thread.
#include "task.h"

extern "C" __global__ void dequant_int4(const unsigned char* codes, const T* scales,
                                        const unsigned char* zeros, T* w, long long bytes, int n,
                                        int group, int symmetric, long long w_stride) {
  const long long at = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= bytes) return;
  const int half = n / 2;
  const long long row = at / half;
  const int column = static_cast<int>(at % half);
  const long long of_group = row / group * half + column;
  const int code = codes[at];
  const int zero = symmetric != 0 ? 0x88 : zeros[of_group];
  for (int i = 0; i < 2; ++i) {
    const auto difference = static_cast<float>((code >> 4 * i & 0xF) - (zero >> 4 * i & 0xF));
    const float scale = tp_to_float(scales[2 * of_group + i]);
    w[row * w_stride + 2 * column + i] = tp_from_float<T>(difference * scale);
  }
}
