// Prints from the device.
extern "C" __global__ void run(const float* x, float* y, int rows, int hidden) {
  if (blockIdx.x == 0 && threadIdx.x == 0 && rows == 1) printf("here\n");
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    y[blockIdx.x * hidden + i] = fabsf(x[blockIdx.x * hidden + i]);
  }
}
