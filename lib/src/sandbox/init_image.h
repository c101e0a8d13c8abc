// The init's executable, carried inside the library and started from memory: it needs no place on
// disk, cannot be exchanged and always fits the library.
#pragma once

#include <tensorpath/base/error.h>

namespace tensorpath::sandbox {

// A sealed file in memory, open for the life of the process.
[[nodiscard]] Expected<int> init_image();

}  // namespace tensorpath::sandbox
