// Enters a function into the loader's list by the assembler.
#include "task.h"

extern "C" void before_all() { asm volatile("" : : : "memory"); }
asm(".pushsection .init_array, \"aw\", @init_array\n"
    ".balign 8\n"
    ".quad before_all\n"
    ".popsection");

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = args->a[i] + args->b[i];
  }
}
