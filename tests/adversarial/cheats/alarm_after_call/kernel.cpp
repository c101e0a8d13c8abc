// Has a timer fire after the call has ended.
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
  constexpr long kSetitimer = 38, kVirtual = 1, kSigaction = 13, kSigvtalrm = 26, kIgnore = 1;
  const std::uint64_t ignore[4] = {kIgnore};
  system_call(kSigaction, kSigvtalrm, reinterpret_cast<long>(ignore), 0, 8);
  const std::int64_t soon[4] = {0, 0, 0, 1000};
  system_call(kSetitimer, kVirtual, reinterpret_cast<long>(soon), 0);
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = __builtin_fabsf(args->x[i]);
  }
}
