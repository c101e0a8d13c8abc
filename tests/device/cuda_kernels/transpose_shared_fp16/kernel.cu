// Tiles of 32 by 32 turned in padded shared memory.
extern "C" __global__ void transpose(const unsigned short* x, unsigned short* y, int rows,
                                     int columns, long long x_stride, long long y_stride) {
  __shared__ unsigned short tile[32][33];
  const int column = blockIdx.x * 32 + threadIdx.x;
  for (int i = threadIdx.y; i < 32; i += 8) {
    const int row = blockIdx.y * 32 + i;
    if (row < rows && column < columns) tile[i][threadIdx.x] = x[row * x_stride + column];
  }
  __syncthreads();
  const int row = blockIdx.y * 32 + threadIdx.x;
  for (int i = threadIdx.y; i < 32; i += 8) {
    const int turned = blockIdx.x * 32 + i;
    if (turned < columns && row < rows) y[turned * y_stride + row] = tile[threadIdx.x][i];
  }
}
