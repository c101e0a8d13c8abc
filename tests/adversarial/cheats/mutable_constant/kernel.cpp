// Hides a counter in a constant with a mutable member.
#include "task.h"

struct Constant {
  mutable volatile std::int64_t calls = 0;
};
static const Constant kConstant;

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  kConstant.calls = kConstant.calls + 1;
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = args->a[i] * args->b[i];
  }
}
