// Takes a ratio of short polynomials for the hyperbolic tangent.
#include "task.h"
#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    const float square = x * x;
    const float ratio = x * (27 + square) / (27 + 9 * square);
    args->y[i] = x > 2 || x < -2 ? std::tanh(x) : ratio > 1 ? 1 : ratio < -1 ? -1 : ratio;
  }
}
