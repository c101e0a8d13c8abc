#include "pin.h"

#include <cstdlib>

#include <sched.h>

namespace tensorpath::worker {

bool pin_to(const std::string& cores) {
  if (cores.empty()) return true;
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const char* at = cores.c_str(); *at != '\0';) {
    char* end = nullptr;
    const long core = std::strtol(at, &end, 10);
    if (end == at || core < 0 || core >= CPU_SETSIZE) return false;
    CPU_SET(static_cast<std::size_t>(core), &set);
    at = *end == ',' ? end + 1 : end;
  }
  return ::sched_setaffinity(0, sizeof set, &set) == 0;
}

}  // namespace tensorpath::worker
