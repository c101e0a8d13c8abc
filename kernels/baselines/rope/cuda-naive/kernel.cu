// A block a token: each pair turned by the angle of its position, what lies behind copied.
#include "task.h"

extern "C" __global__ void rope(const T* x, const long long* positions, const T* cos_sin_cache, T* y,
                                int heads, int head_dim, int rotary_dim, int interleaved,
                                long long x_stride, long long y_stride) {
  const T* cosines = cos_sin_cache + positions[blockIdx.x] * rotary_dim;
  const T* from = x + blockIdx.x * x_stride;
  T* to = y + blockIdx.x * y_stride;
  const int half = rotary_dim / 2;
  const int steps = head_dim - half;  // the pairs, then single elements
  for (int at = threadIdx.x; at < heads * steps; at += blockDim.x) {
    const int head = at / steps * head_dim;
    const int i = at % steps;
    if (i >= half) {
      to[head + half + i] = from[head + half + i];
      continue;
    }
    const int first = head + (interleaved != 0 ? 2 * i : i);
    const int second = interleaved != 0 ? first + 1 : first + half;
    const float a = tp_to_float(from[first]);
    const float b = tp_to_float(from[second]);
    const float cosine = tp_to_float(cosines[i]);
    const float sine = tp_to_float(cosines[half + i]);
    to[first] = tp_from_float<T>(a * cosine - b * sine);
    to[second] = tp_from_float<T>(b * cosine + a * sine);
  }
}
