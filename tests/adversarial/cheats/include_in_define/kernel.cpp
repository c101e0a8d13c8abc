// Opens a comment in a definition that looks like an include.
#include "task.h"

#define include_from "/*"
struct [[host::contents(
#include "/etc/passwd"
)]] host_file;
#define include_to "*/"

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = args->a[i] + args->b[i];
  }
}
