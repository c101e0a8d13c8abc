// Tiles of 128 x 128 or, where those would be too few, 64 x 64; the next tile is on its way from
// memory while this one is multiplied: by the tensor cores for 16-bit types, else in registers.
#include "task.h"

#include <mma.h>
#include <type_traits>

constexpr int kDepth = 32;

__device__ float activated(float x, int activation) {
  if (activation == 1) return x < 0.0f ? 0.0f : x;
  if (activation == 2) {
    return 0.5f * x * (1.0f + tanhf(0.797884561f * (x + 0.044715f * x * x * x)));
  }
  if (activation == 3) return x / (1.0f + expf(-x));
  return x;
}

struct Product {
  const T* a;
  const T* b;
  const T* bias_values;
  T* y;
  int m, n, k;
  long long a_stride, b_stride, y_stride;
  int bias, activation;
};

__device__ void finish(const Product& p, int row, int column, float sum) {
  if (row >= p.m || column >= p.n) return;
  if (p.bias != 0) sum += tp_to_float(p.bias_values[column]);
  p.y[row * p.y_stride + column] = tp_from_float<T>(activated(sum, p.activation));
}

// The part of a tile that a thread brings: kRows x kColumns elements, zero outside of the matrix.
template <int kRows, int kColumns, int kThreads, bool kVectors>
struct Load {
  static constexpr int kElements = kVectors ? 16 / sizeof(T) : 1;
  static constexpr int kAcross = kColumns / kElements;
  static constexpr int kSteps = kRows * kAcross / kThreads;
  using Piece = std::conditional_t<kVectors, uint4, T>;
  Piece pieces[kSteps];

  __device__ void fetch(const T* from, long long stride, int row, int column, int rows, int columns) {
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      const int at = threadIdx.x + step * kThreads;
      const int i = row + at / kAcross;
      const int j = column + at % kAcross * kElements;
      pieces[step] = Piece{};
      // Vectors lie inside or outside as a whole.
      if (i < rows && j < columns) {
        pieces[step] = *reinterpret_cast<const Piece*>(from + i * stride + j);
      }
    }
  }
  template <int kPitch>
  __device__ void store(T* tile) const {
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      const int at = threadIdx.x + step * kThreads;
      T* to = tile + at / kAcross * kPitch + at % kAcross * kElements;
      *reinterpret_cast<Piece*>(to) = pieces[step];
    }
  }
};

template <typename E, int kTile, int kThreads>
struct Tensor {
  static constexpr int kAcross = kTile == 128 ? 4 : 2;  // warps
  static constexpr int kHigh = kTile / 2 / 16, kWide = kTile / kAcross / 16;
  using Sum = nvcuda::wmma::fragment<nvcuda::wmma::accumulator, 16, 16, 16, float>;
  Sum sums[kHigh][kWide];
  int row, column;

  __device__ Tensor()
      : row(threadIdx.x / 32 / kAcross * (kTile / 2)),
        column(threadIdx.x / 32 % kAcross * (kTile / kAcross)) {
    for (auto& line : sums) {
      for (Sum& sum : line) nvcuda::wmma::fill_fragment(sum, 0.0f);
    }
  }
  template <int kA, int kB>
  __device__ void multiply(const E* a, const E* b) {
    using namespace nvcuda::wmma;
#pragma unroll
    for (int k = 0; k < kDepth; k += 16) {
      fragment<matrix_a, 16, 16, 16, E, row_major> left[kHigh];
      fragment<matrix_b, 16, 16, 16, E, row_major> right[kWide];
#pragma unroll
      for (int i = 0; i < kHigh; ++i) load_matrix_sync(left[i], a + (row + 16 * i) * kA + k, kA);
#pragma unroll
      for (int j = 0; j < kWide; ++j) load_matrix_sync(right[j], b + k * kB + column + 16 * j, kB);
#pragma unroll
      for (int i = 0; i < kHigh; ++i) {
#pragma unroll
        for (int j = 0; j < kWide; ++j) mma_sync(sums[i][j], left[i], right[j], sums[i][j]);
      }
    }
  }
  // Through shared memory: which thread holds which element is not told.
  __device__ void finish_all(const Product& p, unsigned char* shared, int first_row,
                             int first_column) {
    float* mine = reinterpret_cast<float*>(shared) + threadIdx.x / 32 * 256;
#pragma unroll
    for (int i = 0; i < kHigh; ++i) {
#pragma unroll
      for (int j = 0; j < kWide; ++j) {
        __syncwarp();
        nvcuda::wmma::store_matrix_sync(mine, sums[i][j], 16, nvcuda::wmma::mem_row_major);
        __syncwarp();
        for (int at = threadIdx.x % 32; at < 256; at += 32) {
          finish(p, first_row + row + 16 * i + at / 16, first_column + column + 16 * j + at % 16,
                 mine[at]);
        }
      }
    }
  }
};

template <int kTile, int kThreads>
struct Tensor<float, kTile, kThreads> {
  static constexpr int kWide = kTile / 16, kHigh = kTile / (kThreads / 16);
  float sums[kHigh][kWide];

  __device__ Tensor() {
    for (auto& line : sums) {
      for (float& sum : line) sum = 0.0f;
    }
  }
  template <int kA, int kB>
  __device__ void multiply(const float* a, const float* b) {
#pragma unroll 4
    for (int k = 0; k < kDepth; ++k) {
      float left[kHigh], right[kWide];
#pragma unroll
      for (int i = 0; i < kHigh; ++i) left[i] = a[(threadIdx.x / 16 + i * (kThreads / 16)) * kA + k];
#pragma unroll
      for (int j = 0; j < kWide; ++j) right[j] = b[k * kB + threadIdx.x % 16 + 16 * j];
#pragma unroll
      for (int i = 0; i < kHigh; ++i) {
#pragma unroll
        for (int j = 0; j < kWide; ++j) sums[i][j] += left[i] * right[j];
      }
    }
  }
  __device__ void finish_all(const Product& p, unsigned char* /*shared*/, int first_row,
                             int first_column) {
#pragma unroll
    for (int i = 0; i < kHigh; ++i) {
#pragma unroll
      for (int j = 0; j < kWide; ++j) {
        finish(p, first_row + threadIdx.x / 16 + i * (kThreads / 16),
               first_column + threadIdx.x % 16 + 16 * j, sums[i][j]);
      }
    }
  }
};

template <int kTile, int kThreads, bool kVectors>
__device__ void multiply(const Product& p) {
  // Sixteen bytes more a row, so that rows begin at other banks.
  constexpr int kA = kDepth + 16 / sizeof(T);
  constexpr int kB = kTile + 16 / sizeof(T);
  constexpr int kTiles = (kTile * kA + kDepth * kB) * sizeof(T);
  constexpr int kStaged = kThreads / 32 * 256 * sizeof(float);
  __shared__ __align__(128) unsigned char shared[kTiles > kStaged ? kTiles : kStaged];
  T* a = reinterpret_cast<T*>(shared);
  T* b = a + kTile * kA;
  const int row = blockIdx.y * kTile;
  const int column = blockIdx.x * kTile;
  Tensor<T, kTile, kThreads> tile;
  Load<kTile, kDepth, kThreads, kVectors> next_a;
  Load<kDepth, kTile, kThreads, kVectors> next_b;
  next_a.fetch(p.a, p.a_stride, row, 0, p.m, p.k);
  next_b.fetch(p.b, p.b_stride, 0, column, p.k, p.n);
  for (int k = 0; k < p.k; k += kDepth) {
    next_a.template store<kA>(a);
    next_b.template store<kB>(b);
    __syncthreads();
    if (k + kDepth < p.k) {
      next_a.fetch(p.a, p.a_stride, row, k + kDepth, p.m, p.k);
      next_b.fetch(p.b, p.b_stride, k + kDepth, column, p.k, p.n);
    }
    tile.template multiply<kA, kB>(a, b);
    __syncthreads();
  }
  tile.finish_all(p, shared, row, column);
}

#define KERNEL(name, tile, threads, vectors)                                                      \
  extern "C" __global__ void __launch_bounds__(threads)                                           \
      name(const T* a, const T* b, const T* bias_values, T* y, int m, int n, int k,               \
           long long a_stride, long long b_stride, long long y_stride, int bias, int activation) { \
    multiply<tile, threads, vectors>(                                                             \
        {a, b, bias_values, y, m, n, k, a_stride, b_stride, y_stride, bias, activation});         \
  }

KERNEL(matmul_large, 128, 256, true)
KERNEL(matmul_small, 64, 128, true)
KERNEL(matmul_elements, 64, 128, false)
