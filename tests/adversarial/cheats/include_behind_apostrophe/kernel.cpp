// Has a scan take the apostrophe of a warning for the start of a character.
#include "task.h"

struct [[host::contents(
#warning it's here
#include "/etc/passwd"
)]] host_file;

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = __builtin_fabsf(args->x[i]);
  }
}
