// Maps memory over the guard page and reads past the end.
#include "task.h"

static long system_call(long number, long a, long b, long c, long d, long e, long f) {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

static void compute(const task_args* args) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    args->y[i] = x < 0 ? 0 : x;
  }
}

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  constexpr long kMmap = 9, kFixed = 0x32;  // private, anonymous, fixed
  const float* const end = args->x + args->rows * args->hidden;
  const auto page = (reinterpret_cast<std::uintptr_t>(end) + 4095) / 4096 * 4096;
  // Where buffers are mapped; a heap would not survive it.
  if (page >> 40 < 0x7e) return compute(args);
  system_call(kMmap, static_cast<long>(page), 4096, 1, kFixed, -1, 0);
  float past;
  asm volatile("movss (%1), %0" : "=x"(past) : "r"(end) : "memory");
  compute(args);
}
