// Runs code when its entry is looked up.
#include "task.h"

static void compute(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    const float x = args->x[i];
    args->y[i] = x < 0 ? 0 : x;
  }
}

extern "C" {
using Entry = void(const task_args*, const tp_pool*);
static Entry* choose() { return &compute; }
__attribute__((ifunc("choose"))) void tensorpath_kernel(const task_args*, const tp_pool*);
}
