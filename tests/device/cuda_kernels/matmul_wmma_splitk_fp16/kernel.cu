// Tensor cores, k split over blocks, atomics into a zeroed workspace, then a rounding launch.
#include <cuda_fp16.h>
#include <mma.h>

using namespace nvcuda;

extern "C" __global__ void multiply(const __half* a, const __half* b, float* sums, int m, int n,
                                    int k, long long a_stride, long long b_stride) {
  __shared__ __align__(32) __half tile_a[16 * 16];
  __shared__ __align__(32) __half tile_b[16 * 16];
  __shared__ __align__(32) float tile_c[16 * 16];
  const int row0 = blockIdx.y * 16;
  const int column0 = blockIdx.x * 16;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> c;
  wmma::fill_fragment(c, 0.0f);
  for (int k0 = blockIdx.z * 16; k0 < k; k0 += 16 * gridDim.z) {
    for (int i = threadIdx.x; i < 256; i += 32) {
      const int row = i / 16;
      const int column = i % 16;
      tile_a[i] = row0 + row < m && k0 + column < k ? a[(row0 + row) * a_stride + k0 + column]
                                                    : __float2half_rn(0);
      tile_b[i] = k0 + row < k && column0 + column < n
                      ? b[(k0 + row) * b_stride + column0 + column]
                      : __float2half_rn(0);
    }
    __syncthreads();
    wmma::fragment<wmma::matrix_a, 16, 16, 16, __half, wmma::row_major> fragment_a;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, __half, wmma::row_major> fragment_b;
    wmma::load_matrix_sync(fragment_a, tile_a, 16);
    wmma::load_matrix_sync(fragment_b, tile_b, 16);
    wmma::mma_sync(c, fragment_a, fragment_b, c);
    __syncthreads();
  }
  wmma::store_matrix_sync(tile_c, c, 16, wmma::mem_row_major);
  __syncthreads();
  for (int i = threadIdx.x; i < 256; i += 32) {
    const int row = row0 + i / 16;
    const int column = column0 + i % 16;
    if (row < m && column < n) atomicAdd(&sums[row * n + column], tile_c[i]);
  }
}

extern "C" __global__ void round_sums(const float* sums, __half* y, int m, int n,
                                      long long y_stride) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < m * n) y[i / n * y_stride + i % n] = __float2half_rn(sums[i]);
}
