// Starts a thread that lives on after the call.
#include "task.h"

// The thread touches no memory, so that it needs no stack.
static void leave_a_thread() {
  constexpr long kClone = 56;
  constexpr long kFlags = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000;  // a thread
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 2f\n\t"
      "mov $100000, %%ecx\n"
      "1:\tpause\n\t"
      "dec %%ecx\n\t"
      "jnz 1b\n\t"
      "mov $60, %%eax\n\t"
      "xor %%edi, %%edi\n\t"
      "syscall\n"
      "2:"
      :
      : "a"(kClone), "D"(kFlags), "S"(0L), "d"(0L)
      : "rcx", "r11", "memory", "cc");
}

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  leave_a_thread();
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = args->a[i] + args->b[i];
  }
}
