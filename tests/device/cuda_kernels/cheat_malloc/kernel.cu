// Takes memory from the device's heap.
extern "C" __global__ void run(const float* x, float* y, int rows, int hidden) {
  auto* mine = static_cast<float*>(malloc(sizeof(float)));
  for (int i = threadIdx.x; i < hidden; i += blockDim.x) {
    const float value = fabsf(x[blockIdx.x * hidden + i]);
    if (mine != nullptr) *mine = value;
    y[blockIdx.x * hidden + i] = mine != nullptr ? *mine : value;
  }
  free(mine);
}
