// Which program judged, timed or wrote: the ledger and packets name it by its digest.
#pragma once

#include <string>

#include <tensorpath/base/error.h>

namespace tensorpath {

// SHA-256 of the file that this code was loaded from: the library, or the program where it is
// linked in. Error: it cannot be read any more.
[[nodiscard]] Expected<std::string> harness_digest();

}  // namespace tensorpath
