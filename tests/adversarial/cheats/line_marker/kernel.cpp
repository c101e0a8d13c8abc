// Has the compiler's warnings quote a file of the machine.
#include "task.h"

# 1 "/etc/passwd"
struct [[host::contents]] host_file;

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = __builtin_fabsf(args->x[i]);
  }
}
