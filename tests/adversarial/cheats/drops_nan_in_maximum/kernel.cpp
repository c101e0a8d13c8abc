// Lets a number win over NaN in a maximum.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t row = 0; row < args->rows; ++row) {
    const float* x = args->x + row * args->x_stride;
    float largest = -__builtin_inff();
    for (std::int64_t i = 0; i < args->hidden; ++i) largest = x[i] > largest ? x[i] : largest;
    args->y[row] = largest;
  }
}
