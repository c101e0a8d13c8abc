// Counts its calls in a variable of the module.
__device__ int calls;

extern "C" __global__ void run(const float* x, float* y, int rows, int hidden) {
  if (blockIdx.x == 0 && threadIdx.x == 0) ++calls;
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    y[blockIdx.x * hidden + i] = calls < 0 ? 0 : fabsf(x[blockIdx.x * hidden + i]);
  }
}
