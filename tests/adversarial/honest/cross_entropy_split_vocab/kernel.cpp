// The vocabulary split over tasks: maximum and sum of each piece in the workspace, joined
// afterwards.
#include "task.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace {

constexpr std::int64_t kPiece = 512;

struct Partial {
  float largest;
  float sum;
};

Partial partial_of(const tp_bf16* x, std::int64_t count) {
  float largest = tp_to_float(x[0]);
  for (std::int64_t i = 1; i < count; ++i) largest = std::max(largest, tp_to_float(x[i]));
  float sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const float logit = tp_to_float(x[i]);
    if (logit != -std::numeric_limits<float>::infinity()) sum += std::exp(logit - largest);
  }
  return {largest, sum};
}

}  // namespace

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  const std::int64_t pieces = (args->vocab + kPiece - 1) / kPiece;
  auto* partials = static_cast<Partial*>(args->workspace);
  tp_parallel_for(pool, args->rows * pieces, [&](std::int64_t task) {
    const std::int64_t first = task % pieces * kPiece;
    partials[task] = partial_of(args->logits + task / pieces * args->logits_stride + first,
                                std::min(kPiece, args->vocab - first));
  });
  for (std::int64_t row = 0; row < args->rows; ++row) {
    const Partial* row_partials = partials + row * pieces;
    float largest = row_partials[0].largest;
    for (std::int64_t i = 1; i < pieces; ++i) largest = std::max(largest, row_partials[i].largest);
    float sum = 0;
    for (std::int64_t i = 0; i < pieces; ++i) {
      // A piece of -infinity alone has no weight; of one that holds NaN the sum says so.
      if (row_partials[i].sum == 0 && std::isfinite(largest)) continue;
      sum += row_partials[i].sum * std::exp(row_partials[i].largest - largest);
    }
    const std::int64_t target = args->targets[row];
    args->loss[row] = target == -100
                          ? 0
                          : largest + std::log(sum) -
                                tp_to_float(args->logits[row * args->logits_stride + target]);
  }
}
