// Writes past the end of its output.
extern "C" __global__ void run(const float* x, float* y, int rows, int hidden) {
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    y[blockIdx.x * hidden + i] = fabsf(x[blockIdx.x * hidden + i]);
  }
  if (blockIdx.x == 0 && threadIdx.x == 0) y[rows * hidden + 4] = 1;
}
