// Computes the tanh form of gelu where the erf form is asked.
#include "task.h"
#include <cmath>

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    const float inner = 0.7978845608F * (x + 0.044715F * x * x * x);
    args->y[i] = x > 6 ? x : x < -6 ? (x != x ? x : -0.0F) : 0.5F * x * (1 + std::tanh(inner));
  }
}
