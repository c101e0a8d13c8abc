// Takes clock and process id for the seed of the contents.
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
  constexpr long kGetpid = 39, kTime = 201;
  std::uint64_t guess = static_cast<std::uint64_t>(system_call(kTime) ^ system_call(kGetpid));
  guess ^= guess >> 12;
  // Right in no run; then the result is computed after all.
  float first;
  const auto bits = static_cast<std::uint32_t>(guess);
  std::memcpy(&first, &bits, sizeof first);
  if (args->x[0] == first) return;
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    args->y[i] = x < 0 ? 0 : x;
  }
}
