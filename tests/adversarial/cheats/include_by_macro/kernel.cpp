// Includes a host file whose name a macro puts together.
#include "task.h"

#define QUOTED(x) #x
#define HOST_FILE(name) QUOTED(/etc/name)
struct [[host::contents(
#include HOST_FILE(passwd)
)]] host_file;

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = args->a[i] + args->b[i];
  }
}
