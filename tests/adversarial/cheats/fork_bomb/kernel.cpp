// Forks children that fork children.
#include "task.h"

static long system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  long result;
  register long r10 asm("r10") = d;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
               : "rcx", "r11", "memory");
  return result;
}

// Each level doubles the number of processes.
static void bomb(int levels) {
  constexpr long kFork = 57, kWait = 61, kExitGroup = 231;
  for (int level = 0; level < levels; ++level) {
    if (system_call(kFork) == 0) {
      bomb(levels - level - 1);
      system_call(kExitGroup, 0);
    }
  }
  while (system_call(kWait, -1, 0, 0, 0) > 0) {
  }
}

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  bomb(2);
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    args->y[i] = x < 0 ? 0 : x;
  }
}
