// Takes the address of constant memory, through which it could be written.
__constant__ float masks[4] = {1, 1, 1, 1};

extern "C" __global__ void run(const float* x, float* y, int rows, int hidden) {
  const float* mask = masks;
  asm volatile("" : "+l"(mask));
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    y[blockIdx.x * hidden + i] = fabsf(x[blockIdx.x * hidden + i]) * mask[i % 4];
  }
}
