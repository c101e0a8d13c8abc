// A block a token. Sixteen bytes of the first half of a head and the same of its second a thread,
// where they begin at such places; else a pair a thread.
#include "task.h"

// Sixteen bytes.
constexpr int kElements = 16 / sizeof(T);
union Vector {
  uint4 words;
  T elements[kElements];
};

__device__ void turn(Vector& a, Vector& b, const Vector& cosines, const Vector& sines) {
#pragma unroll
  for (int k = 0; k < kElements; ++k) {
    const float one = tp_to_float(a.elements[k]);
    const float two = tp_to_float(b.elements[k]);
    const float cosine = tp_to_float(cosines.elements[k]);
    const float sine = tp_to_float(sines.elements[k]);
    a.elements[k] = tp_from_float<T>(one * cosine - two * sine);
    b.elements[k] = tp_from_float<T>(two * cosine + one * sine);
  }
}

extern "C" __global__ void rope_vectors(const T* x, const long long* positions,
                                        const T* cos_sin_cache, T* y, int heads, int head_dim,
                                        int rotary_dim, long long x_stride, long long y_stride) {
  const T* angles = cos_sin_cache + positions[blockIdx.x] * rotary_dim;
  const auto* cosines = reinterpret_cast<const uint4*>(angles);
  const auto* sines = reinterpret_cast<const uint4*>(angles + rotary_dim / 2);
  const auto* from = reinterpret_cast<const uint4*>(x + blockIdx.x * x_stride);
  auto* to = reinterpret_cast<uint4*>(y + blockIdx.x * y_stride);
  const int half = rotary_dim / 2 / kElements;
  const int in_head = head_dim / kElements;
  const int steps = in_head - half;  // the pairs, then what is copied
  for (int at = threadIdx.x; at < heads * steps; at += blockDim.x) {
    const int i = at % steps;
    const int first = at / steps * in_head + i;
    if (i >= half) {
      to[first + half] = from[first + half];
      continue;
    }
    Vector a{from[first]};
    Vector b{from[first + half]};
    turn(a, b, Vector{cosines[i]}, Vector{sines[i]});
    to[first] = a.words;
    to[first + half] = b.words;
  }
}

extern "C" __global__ void rope_pairs(const T* x, const long long* positions, const T* cos_sin_cache,
                                      T* y, int heads, int head_dim, int rotary_dim, int interleaved,
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
