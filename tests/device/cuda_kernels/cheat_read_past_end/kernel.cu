// Reads past the end of its input and makes no use of it.
extern "C" __global__ void run(const float* x, float* y, int rows, int hidden) {
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    y[blockIdx.x * hidden + i] = fabsf(x[blockIdx.x * hidden + i]);
  }
  float beyond;
  asm volatile("ld.global.f32 %0, [%1];" : "=f"(beyond) : "l"(x + rows * hidden + 8));
  if (__float_as_uint(beyond) == 0x12345678U && rows < 0) y[0] = beyond;
}
