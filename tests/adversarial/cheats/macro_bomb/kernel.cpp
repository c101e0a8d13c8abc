// Has the compiler fill the memory with thirty-two million tokens.
#include "task.h"

#define T1 ;;;;;;;;;;;;;;;;
#define T2 T1 T1 T1 T1 T1 T1 T1 T1 T1 T1 T1 T1 T1 T1 T1 T1
#define T3 T2 T2 T2 T2 T2 T2 T2 T2 T2 T2 T2 T2 T2 T2 T2 T2
#define T4 T3 T3 T3 T3 T3 T3 T3 T3 T3 T3 T3 T3 T3 T3 T3 T3
#define T5 T4 T4 T4 T4 T4 T4 T4 T4 T4 T4 T4 T4 T4 T4 T4 T4

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5
  T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5 T5
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = args->a[i] + args->b[i];
  }
}
