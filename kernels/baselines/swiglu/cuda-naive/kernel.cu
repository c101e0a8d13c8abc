// An element a thread.
#include "task.h"

extern "C" __global__ void swiglu(const T* x, T* y, long long count, int hidden) {
  const long long i = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const long long gate = i + i / hidden * hidden;
  const float value = tp_to_float(x[gate]);
  y[i] = tp_from_float<T>(value / (1.0f + expf(-value)) * tp_to_float(x[gate + hidden]));
}
