// Sixteen by sixteen elements a block, a thread each, over tiles in shared memory.
#include "task.h"

constexpr int kTile = 16;

__device__ float activated(float x, int activation) {
  if (activation == 1) return x < 0.0f ? 0.0f : x;
  if (activation == 2) {
    return 0.5f * x * (1.0f + tanhf(0.797884561f * (x + 0.044715f * x * x * x)));
  }
  if (activation == 3) return x / (1.0f + expf(-x));
  return x;
}

extern "C" __global__ void matmul(const T* a, const T* b, const T* bias_values, T* y, int m, int n,
                                  int k, long long a_stride, long long b_stride, long long y_stride,
                                  int bias, int activation) {
  __shared__ float a_tile[kTile][kTile];
  __shared__ float b_tile[kTile][kTile + 1];
  const int row = blockIdx.y * kTile + threadIdx.y;
  const int column = blockIdx.x * kTile + threadIdx.x;
  float sum = 0;
  for (int first = 0; first < k; first += kTile) {
    const int a_column = first + threadIdx.x;
    const int b_row = first + threadIdx.y;
    a_tile[threadIdx.y][threadIdx.x] =
        row < m && a_column < k ? tp_to_float(a[row * a_stride + a_column]) : 0.0f;
    b_tile[threadIdx.y][threadIdx.x] =
        b_row < k && column < n ? tp_to_float(b[b_row * b_stride + column]) : 0.0f;
    __syncthreads();
    for (int i = 0; i < kTile; ++i) sum += a_tile[threadIdx.y][i] * b_tile[i][threadIdx.x];
    __syncthreads();
  }
  if (row >= m || column >= n) return;
  if (bias != 0) sum += tp_to_float(bias_values[column]);
  y[row * y_stride + column] = tp_from_float<T>(activated(sum, activation));
}
