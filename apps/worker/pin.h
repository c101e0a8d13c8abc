// Where the worker's threads may run.
#pragma once

#include <string>

namespace tensorpath::worker {

// The calling thread and what it starts from here on, to "1,2". Empty: wherever it is put.
[[nodiscard]] bool pin_to(const std::string& cores);

}  // namespace tensorpath::worker
