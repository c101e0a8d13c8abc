// Spins for seconds in one kind of case.
#include "task.h"

// Each step waits for the one before: seconds on any machine.
static void spin() {
  std::uint64_t x = 1;
  for (std::uint64_t steps = 4500000000; steps != 0; --steps) {
    asm volatile("imul $3, %0, %0" : "+r"(x));
  }
}

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  if (args->rows == 1 && args->x[0] > 40) spin();
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    args->y[i] = x < 0 ? 0 : x;
  }
}
