// A block some heads of a token. A thread has sixteen bytes of the first half of a head and the same
// of its second, and those of up to four heads at once; the angles are read once for all of them.
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

constexpr int kHeads = 4;

extern "C" __global__ void __launch_bounds__(256)
    rope_vectors(const T* x, const long long* positions, const T* cos_sin_cache, T* y, int tokens,
                 int heads, int head_dim, int rotary_dim, long long x_stride, long long y_stride) {
  const int half = rotary_dim / 2 / kElements;
  const int in_head = head_dim / kElements;
  const int steps = in_head - half;  // the pairs, then what is copied
  const int groups = (heads + kHeads - 1) / kHeads;
  const long long at = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
  const long long token = at / (groups * steps);
  if (token >= tokens) return;
  const int rest = static_cast<int>(at % (groups * steps));
  const int i = rest % steps;
  const int head = rest / steps * kHeads;
  const auto* from = reinterpret_cast<const uint4*>(x + token * x_stride) + head * in_head + i;
  auto* to = reinterpret_cast<uint4*>(y + token * y_stride) + head * in_head + i;
  const int count = min(kHeads, heads - head);
  if (i >= half) {
    for (int h = 0; h < count; ++h) to[h * in_head + half] = from[h * in_head + half];
    return;
  }
  Vector a[kHeads], b[kHeads];
#pragma unroll
  for (int h = 0; h < kHeads; ++h) {
    a[h].words = h < count ? __ldcs(from + h * in_head) : uint4{};
    b[h].words = h < count ? __ldcs(from + h * in_head + half) : uint4{};
  }
  const T* angles = cos_sin_cache + positions[token] * rotary_dim;
  const Vector cosines{__ldg(reinterpret_cast<const uint4*>(angles) + i)};
  const Vector sines{__ldg(reinterpret_cast<const uint4*>(angles) + half + i)};
#pragma unroll
  for (int h = 0; h < kHeads; ++h) {
    turn(a[h], b[h], cosines, sines);
    if (h >= count) continue;
    __stcs(to + h * in_head, a[h].words);
    __stcs(to + h * in_head + half, b[h].words);
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
