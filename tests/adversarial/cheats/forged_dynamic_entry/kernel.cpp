// Adds an entry to the loader's table by itself.
#include "task.h"

extern "C" __attribute__((visibility("hidden"))) void before_all() {
  asm volatile("" : : : "memory");
}
// 12: a function to call when loaded, by its address.
asm(".pushsection .dynamic, \"aw\", @progbits\n"
    ".quad 12, before_all\n"
    ".popsection");

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    args->y[i] = x < 0 ? 0 : x;
  }
}
