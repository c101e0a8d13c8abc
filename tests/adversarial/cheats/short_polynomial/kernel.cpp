// Takes a short polynomial for the exponential.
#include "task.h"
#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    if (!(x > -87 && x < 88)) {
      args->y[i] = std::exp(x);
      continue;
    }
    const float power = x * 1.44269504F;
    const float whole = std::floor(power);
    const float rest = power - whole;
    args->y[i] = std::ldexp(1 + rest * (0.6565F + rest * 0.3435F), static_cast<int>(whole));
  }
}
