// OpenBLAS. Each thread of the pool multiplies a tile of y with a call of one thread, and then adds
// the bias and applies the activation while the tile is in its cache. Tiles are as few as keep
// every thread busy: each call packs its part of a and b anew.
#include "task.h"

#include <algorithm>
#include <cmath>
#include <type_traits>

#if __has_include(<cblas-openblas.h>)
#include <cblas-openblas.h>
#else
#include <cblas.h>
#endif

namespace {

using T = std::remove_const_t<std::remove_pointer_t<decltype(task_args::y)>>;
constexpr bool kHasKernel = std::is_same_v<T, float>;

float activated(float x, int activation) {
  if (activation == 1) return x < 0 ? 0.0F : x;
  if (activation == 2) {
    return 0.5F * x * (1.0F + std::tanh(0.797884561F * (x + 0.044715F * x * x * x)));
  }
  if (activation == 3) return x / (1.0F + std::exp(-x));
  return x;
}

// How y is cut: `down` times `across` tiles.
struct Grid {
  std::int64_t down, across;
};

// The cut into a tile for each thread whose largest tile costs least.
Grid grid_of(const task_args& t, std::int64_t threads) {
  Grid best{1, 1};
  double least = 0;
  for (std::int64_t down = 1; down <= threads; ++down) {
    if (threads % down != 0) continue;
    const Grid grid{std::min(down, t.m), std::min(threads / down, t.n)};
    const double rows = std::ceil(static_cast<double>(t.m) / static_cast<double>(grid.down));
    const double columns = std::ceil(static_cast<double>(t.n) / static_cast<double>(grid.across));
    // Work of the largest tile, and what it reads at some operations an element.
    const double cost = rows * columns + 16 * (rows + columns);
    if (least == 0 || cost < least) {
      least = cost;
      best = grid;
    }
  }
  return best;
}

// A tile of y, which begins at this row and column.
struct Tile {
  std::int64_t row, rows, column, columns;
};

void multiply(const task_args& t, const float* a, const float* b, const float* bias, float* y,
              const Tile& tile) {
  const auto columns = static_cast<int>(tile.columns);
  const auto depth = static_cast<int>(t.k);
  const auto b_stride = static_cast<int>(t.b_stride);
  const float* left = a + tile.row * t.a_stride;
  float* result = y + tile.row * t.y_stride + tile.column;
  if (tile.rows == 1) {
    cblas_sgemv(CblasRowMajor, CblasTrans, depth, columns, 1.0F, b + tile.column, b_stride, left, 1,
                0.0F, result, 1);
  } else {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(tile.rows), columns,
                depth, 1.0F, left, static_cast<int>(t.a_stride), b + tile.column, b_stride, 0.0F,
                result, static_cast<int>(t.y_stride));
  }
  const auto activation = static_cast<int>(t.activation);
  if (t.bias == 0 && activation == 0) return;
  for (std::int64_t r = tile.row; r < tile.row + tile.rows; ++r) {
    float* to = y + r * t.y_stride;
    for (std::int64_t j = tile.column; j < tile.column + tile.columns; ++j) {
      to[j] = activated(t.bias != 0 ? to[j] + bias[j] : to[j], activation);
    }
  }
}
// Types that tensorpath_absent() turns down.
[[maybe_unused]] void multiply(const task_args&, const void*, const void*, const void*, void*,
                               const Tile&) {}

}  // namespace

extern "C" const char* tensorpath_absent() {
  return kHasKernel ? nullptr : "OpenBLAS multiplies no matrices of this type into their own type";
}

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const task_args& t = *args;
  const Grid grid = grid_of(t, pool->threads);
  const std::int64_t rows = (t.m + grid.down - 1) / grid.down;
  const std::int64_t columns = (t.n + grid.across - 1) / grid.across;
  tp_parallel_for(pool, grid.down * grid.across, [&](std::int64_t task) {
    const std::int64_t row = task / grid.across * rows;
    const std::int64_t column = task % grid.across * columns;
    if (row >= t.m || column >= t.n) return;
    multiply(t, t.a, t.b, t.bias_values, t.y,
             {row, std::min(rows, t.m - row), column, std::min(columns, t.n - column)});
  });
}
