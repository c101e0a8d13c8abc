// Prints at every call.
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

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  constexpr long kWrite = 1;
  char line[256];
  std::memset(line, 'x', sizeof line);
  line[sizeof line - 1] = '\n';
  system_call(kWrite, 2, reinterpret_cast<long>(line), sizeof line);
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = __builtin_fabsf(args->x[i]);
  }
}
