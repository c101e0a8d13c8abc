// Sixteen bytes a load where all tensors begin at such places.
#include "task.h"

// Sixteen bytes.
constexpr int kElements = 16 / sizeof(T);
union Vector {
  uint4 words;
  T elements[kElements];
};

__device__ bool aligned(const void* at) { return reinterpret_cast<unsigned long long>(at) % 16 == 0; }

__device__ T one(T a, T b) { return tp_from_float<T>(tp_to_float(a) + tp_to_float(b)); }

// `count` results, kElements a thread.
extern "C" __global__ void elementwise_add(const T* a, const T* b, T* y, long long count) {
  const long long first =
      kElements * (static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x);
  if (first + kElements <= count && aligned(a) && aligned(b) && aligned(y)) {
    Vector left{*reinterpret_cast<const uint4*>(a + first)};
    const Vector right{*reinterpret_cast<const uint4*>(b + first)};
#pragma unroll
    for (int k = 0; k < kElements; ++k) left.elements[k] = one(left.elements[k], right.elements[k]);
    *reinterpret_cast<uint4*>(y + first) = left.words;
    return;
  }
  for (long long i = first; i < first + kElements && i < count; ++i) y[i] = one(a[i], b[i]);
}
