// A block a row. The maximum and the sum in one pass: a thread's sum is scaled anew whenever its
// maximum grows (Milakov and Gimelshein 2018, arXiv:1805.02867). Sixteen bytes a load where rows allow
// it.
#include "task.h"

// Sixteen bytes.
constexpr int kElements = 16 / sizeof(T);
union Vector {
  uint4 words;
  T elements[kElements];
};

struct Part {
  float largest, sum;
};

// Of two parts; -inf has no terms.
__device__ Part joined(Part a, Part b) {
  const float largest = fmaxf(a.largest, b.largest);
  const float by_a = a.largest == -INFINITY ? 0.0f : expf(a.largest - largest);
  const float by_b = b.largest == -INFINITY ? 0.0f : expf(b.largest - largest);
  return {largest, a.sum * by_a + b.sum * by_b};
}

__device__ Part in_warp(Part part) {
  for (int step = 16; step > 0; step /= 2) {
    const Part other{__shfl_xor_sync(0xFFFFFFFFU, part.largest, step),
                     __shfl_xor_sync(0xFFFFFFFFU, part.sum, step)};
    part = joined(part, other);
  }
  return part;
}

__device__ Part in_block(Part part) {
  __shared__ Part parts[32];
  part = in_warp(part);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = part;
  __syncthreads();
  const Part none{-INFINITY, 0.0f};
  return in_warp(threadIdx.x % 32 < blockDim.x / 32 ? parts[threadIdx.x % 32] : none);
}

// A NaN stays in the sum whatever it is multiplied by; -inf has no term.
__device__ void add(Part& part, float value) {
  if (value > part.largest) {
    part.sum *= part.largest == -INFINITY ? 0.0f : expf(part.largest - value);
    part.largest = value;
  }
  part.sum += value == -INFINITY ? 0.0f : expf(value - part.largest);
}

extern "C" __global__ void softmax_vectors(const T* x, T* y, int hidden, long long x_stride,
                                           long long y_stride) {
  const auto* row = reinterpret_cast<const uint4*>(x + blockIdx.x * x_stride);
  auto* out = reinterpret_cast<uint4*>(y + blockIdx.x * y_stride);
  const int vectors = hidden / kElements;
  Part part{-INFINITY, 0.0f};
  for (int i = threadIdx.x; i < vectors; i += blockDim.x) {
    const Vector values{row[i]};
#pragma unroll
    for (int k = 0; k < kElements; ++k) add(part, tp_to_float(values.elements[k]));
  }
  part = in_block(part);
  for (int i = threadIdx.x; i < vectors; i += blockDim.x) {
    Vector values{row[i]};
#pragma unroll
    for (int k = 0; k < kElements; ++k) {
      const float power = expf(tp_to_float(values.elements[k]) - part.largest);
      values.elements[k] = tp_from_float<T>(power / part.sum);
    }
    out[i] = values.words;
  }
}

extern "C" __global__ void softmax_elements(const T* x, T* y, int hidden, long long x_stride,
                                            long long y_stride) {
  const T* row = x + blockIdx.x * x_stride;
  T* out = y + blockIdx.x * y_stride;
  Part part{-INFINITY, 0.0f};
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) add(part, tp_to_float(row[i]));
  part = in_block(part);
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    out[i] = tp_from_float<T>(expf(tp_to_float(row[i]) - part.largest) / part.sum);
  }
}
