// Reads the time-stamp counter by rdtscp, in a pool task.
#include "task.h"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool* pool) {
  tp_parallel_for(pool, args->rows, [&](std::int64_t row) {
    std::uint32_t low, high, processor;
    asm volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(processor));
    for (std::int64_t i = row * args->hidden; i < (row + 1) * args->hidden; ++i) {
      args->y[i] = args->a[i] + args->b[i];
    }
  });
}
