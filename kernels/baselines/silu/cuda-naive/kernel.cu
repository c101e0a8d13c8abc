// An element a thread.
#include "task.h"

extern "C" __global__ void silu(const T* x, T* y, long long count) {
  const long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const float value = tp_to_float(x[i]);
  y[i] = tp_from_float<T>(value / (1.0f + expf(-value)));
}
