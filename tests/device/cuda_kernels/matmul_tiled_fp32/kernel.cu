// The textbook's tiles of 16 by 16 in shared memory.
extern "C" __global__ void matmul(const float* a, const float* b, float* y, int m, int n, int k,
                                  long long a_stride, long long b_stride, long long y_stride) {
  __shared__ float tile_a[16][17];
  __shared__ float tile_b[16][17];
  const int row = blockIdx.y * 16 + threadIdx.y;
  const int column = blockIdx.x * 16 + threadIdx.x;
  float sum = 0;
  for (int k0 = 0; k0 < k; k0 += 16) {
    const int from_a = k0 + threadIdx.x;
    const int from_b = k0 + threadIdx.y;
    tile_a[threadIdx.y][threadIdx.x] = row < m && from_a < k ? a[row * a_stride + from_a] : 0.0f;
    tile_b[threadIdx.y][threadIdx.x] =
        from_b < k && column < n ? b[from_b * b_stride + column] : 0.0f;
    __syncthreads();
    for (int i = 0; i < 16; ++i) sum = fmaf(tile_a[threadIdx.y][i], tile_b[i][threadIdx.x], sum);
    __syncthreads();
  }
  if (row < m && column < n) y[row * y_stride + column] = sum;
}
