// Tiles of 32 x 32 gathered into a buffer on the stack and written out by rows.
#include "task.h"

#include <algorithm>

namespace {

constexpr std::int64_t kTile = 32;

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t across = (args->columns + kTile - 1) / kTile;
  const std::int64_t down = (args->rows + kTile - 1) / kTile;
  tp_parallel_for(pool, across * down, [&](std::int64_t task) {
    const std::int64_t row = task / across * kTile;
    const std::int64_t column = task % across * kTile;
    const std::int64_t height = std::min(kTile, args->rows - row);
    const std::int64_t width = std::min(kTile, args->columns - column);
    tp_bf16 tile[kTile][kTile];
    for (std::int64_t i = 0; i < height; ++i) {
      for (std::int64_t j = 0; j < width; ++j) {
        tile[j][i] = args->x[(row + i) * args->x_stride + column + j];
      }
    }
    for (std::int64_t j = 0; j < width; ++j) {
      std::memcpy(args->y + (column + j) * args->y_stride + row, tile[j],
                  static_cast<std::size_t>(height) * sizeof(tp_bf16));
    }
  });
}
