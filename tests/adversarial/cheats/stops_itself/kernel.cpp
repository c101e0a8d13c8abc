// Stops its own process, to be woken by a child.
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
  constexpr long kFork = 57, kGetpid = 39, kKill = 62, kNanosleep = 35, kWait = 61;
  constexpr long kExitGroup = 231, kSigstop = 19, kSigcont = 18;
  const long self = system_call(kGetpid);
  const long child = system_call(kFork);
  if (child == 0) {
    const std::int64_t pause[2] = {0, 2000000};
    // Twice, should it stop later than it is woken.
    for (int i = 0; i < 2; ++i) {
      system_call(kNanosleep, reinterpret_cast<long>(pause));
      system_call(kKill, self, kSigcont);
    }
    system_call(kExitGroup, 0);
  }
  if (child > 0) {
    system_call(kKill, self, kSigstop);
    system_call(kWait, child);
  }
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = args->a[i] * args->b[i];
  }
}
