// What a measurement on the host depends on, for its report.
#pragma once

#include "cores.h"

#include <string>

#include <tensorpath/base/json.h>

namespace tensorpath {

// Processor, kernel, cores, clock frequency where the kernel tells it, load. What cannot be told is
// null.
[[nodiscard]] Json host_environment(const Cores& cores);
[[nodiscard]] std::string load_average();

}  // namespace tensorpath
