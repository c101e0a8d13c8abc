// Spins for seconds where there is one row.
extern "C" __global__ void run(const float* x, float* y, int rows, int hidden) {
  unsigned long long start, now;
  asm volatile("mov.u64 %0, %globaltimer;" : "=l"(start));
  do {
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
  } while (rows == 1 && now - start < 3000000000ULL);
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    y[blockIdx.x * hidden + i] = fabsf(x[blockIdx.x * hidden + i]);
  }
}
