// Eight codes a thread, read as one word; their scales and results in vectors of sixteen bytes, these
// where rows begin at such places.
#include "task.h"

// Sixteen bytes.
constexpr int kElements = 16 / sizeof(T);
union Vector {
  uint4 words;
  T elements[kElements];
};


constexpr int kCodes = 8;

extern "C" __global__ void dequant_int4(const unsigned char* codes, const T* scales,
                                        const unsigned char* zeros, T* w, long long words, int n,
                                        int group, int symmetric, long long w_stride) {
  const long long at = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= words) return;
  const int in_row = n / kCodes;
  const long long row = at / in_row;
  const int column = static_cast<int>(at % in_row);
  const long long of_group = row / group * in_row + column;
  const unsigned code = reinterpret_cast<const unsigned*>(codes)[at];
  const unsigned zero =
      symmetric != 0 ? 0x88888888U : reinterpret_cast<const unsigned*>(zeros)[of_group];
  T* const out = w + row * w_stride + kCodes * column;
#pragma unroll
  for (int part = 0; part < kCodes / kElements; ++part) {
    Vector values{reinterpret_cast<const uint4*>(scales + kCodes * of_group)[part]};
#pragma unroll
    for (int k = 0; k < kElements; ++k) {
      const int shift = 4 * (part * kElements + k);
      const int difference =
          static_cast<int>(code >> shift & 0xF) - static_cast<int>(zero >> shift & 0xF);
      values.elements[k] =
          tp_from_float<T>(static_cast<float>(difference) * tp_to_float(values.elements[k]));
    }
    if (w_stride % kElements == 0) {
      reinterpret_cast<uint4*>(out)[part] = values.words;
      continue;
    }
#pragma unroll
    for (int k = 0; k < kElements; ++k) out[part * kElements + k] = values.elements[k];
  }
}
