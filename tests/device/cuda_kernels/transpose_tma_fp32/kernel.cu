// Tiles fetched by the tensor memory accelerator where rows lie at multiples of 16 bytes.
#include <cuda.h>
#include <cstdint>

extern "C" __global__ void transpose_tma(const __grid_constant__ CUtensorMap tiles, float* y,
                                         int rows, int columns, long long y_stride) {
  __shared__ alignas(128) float tile[32][32];
  __shared__ alignas(8) std::uint64_t arrived;
  const auto barrier = static_cast<unsigned>(__cvta_generic_to_shared(&arrived));
  const bool first = threadIdx.x == 0 && threadIdx.y == 0;
  if (first) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;" ::"r"(barrier));
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  }
  __syncthreads();
  if (first) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier),
                 "r"(static_cast<unsigned>(sizeof tile)));
    asm volatile(
        "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes "
        "[%0], [%1, {%2, %3}], [%4];" ::"r"(
            static_cast<unsigned>(__cvta_generic_to_shared(&tile[0][0]))),
        "l"(&tiles), "r"(static_cast<int>(blockIdx.x * 32)), "r"(static_cast<int>(blockIdx.y * 32)),
        "r"(barrier)
        : "memory");
  }
  unsigned done = 0;
  while (done == 0) {
    asm volatile(
        "{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], 0; "
        "selp.u32 %0, 1, 0, p; }"
        : "=r"(done)
        : "r"(barrier)
        : "memory");
  }
  const int row = blockIdx.y * 32 + threadIdx.x;
  for (int i = threadIdx.y; i < 32; i += 8) {
    const int column = blockIdx.x * 32 + i;
    if (column < columns && row < rows) y[column * y_stride + row] = tile[threadIdx.x][i];
  }
}

extern "C" __global__ void transpose_plain(const float* x, float* y, int rows, int columns,
                                           long long x_stride, long long y_stride) {
  const int column = blockIdx.x * 32 + threadIdx.x;
  const int row = blockIdx.y * 8 + threadIdx.y;
  if (column < columns && row < rows) y[column * y_stride + row] = x[row * x_stride + column];
}
