// Sixteen bytes a load where the rows' length and where they begin allow it.
#include "task.h"

// Sixteen bytes.
constexpr int kElements = 16 / sizeof(T);
union Vector {
  uint4 words;
  T elements[kElements];
};

__device__ T one(T gate, T up) {
  const float value = tp_to_float(gate);
  return tp_from_float<T>(value / (1.0f + expf(-value)) * tp_to_float(up));
}

__device__ bool aligned(const void* at) { return reinterpret_cast<unsigned long long>(at) % 16 == 0; }

// `count` results, kElements a thread.
extern "C" __global__ void swiglu(const T* x, T* y, long long count, int hidden) {
  const long long first =
      kElements * (static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x);
  if (first >= count) return;
  const long long gate = first + first / hidden * hidden;
  if (hidden % kElements == 0 && aligned(x) && aligned(y)) {
    Vector gates{*reinterpret_cast<const uint4*>(x + gate)};
    const Vector ups{*reinterpret_cast<const uint4*>(x + gate + hidden)};
#pragma unroll
    for (int k = 0; k < kElements; ++k) gates.elements[k] = one(gates.elements[k], ups.elements[k]);
    *reinterpret_cast<uint4*>(y + first) = gates.words;
    return;
  }
  for (long long i = first; i < first + kElements && i < count; ++i) {
    const long long at = i + i / hidden * hidden;
    y[i] = one(x[at], x[at + hidden]);
  }
}
