// What the harness uses of the machine to build host candidates, also for those who only ask
// whether it is there.
#pragma once

#include <string>
#include <string_view>

#include <tensorpath/base/error.h>

namespace tensorpath {

// The compiler of host candidates: its path; empty when there is none.
[[nodiscard]] std::string host_compiler();
// The same, where nothing can be done without one.
[[nodiscard]] Expected<std::string> require_host_compiler();

// A runtime of the compiler's sanitizers ("libasan.so", "libtsan.so"), of the newest version there
// is: its path; empty when there is none.
[[nodiscard]] std::string sanitizer_runtime(std::string_view library);

}  // namespace tensorpath
