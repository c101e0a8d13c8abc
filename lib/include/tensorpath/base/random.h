// Bytes that nobody can guess, from the kernel: seeds of hidden cases, and names that must not
// collide. Nothing else in the library is random.
#pragma once

#include <string>

#include <tensorpath/base/error.h>

namespace tensorpath {

// Error (environment) where the kernel has no getrandom(2); never fewer or weaker bytes.
[[nodiscard]] Expected<std::string> random_bytes(std::size_t count);

}  // namespace tensorpath
