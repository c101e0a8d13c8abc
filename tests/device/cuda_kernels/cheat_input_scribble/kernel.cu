// Writes its results into the input as well.
extern "C" __global__ void run(float* x, float* y, int rows, int hidden) {
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    const float value = fabsf(x[blockIdx.x * hidden + i]);
    y[blockIdx.x * hidden + i] = value;
    x[blockIdx.x * hidden + i] = value;
  }
}
