// The vendors' libraries that a baseline may be linked with: a closed list. Only a baseline's
// baseline.yaml names one; what is linked with one is trusted as the harness itself is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <tensorpath/base/error.h>

namespace tensorpath {

// baseline.yaml: the libraries it names. An Error (usage) has every mistake in it.
[[nodiscard]] Expected<std::vector<std::string>> read_links(std::string_view yaml,
                                                            const std::string& file);

// For the compiler, behind the source.
[[nodiscard]] std::vector<std::string> link_flags(const std::vector<std::string>& links);

// "NAME=value": as many threads of their own as a kernel's pool has, or none; and code for the
// processor's level (host_level()) where the library would choose by the model's number.
[[nodiscard]] std::vector<std::string> link_environment(const std::vector<std::string>& links,
                                                        int threads, std::string_view level);

// "libopenblas-dev is not installed", where the compiler's words say that a header or a library was
// not found; else empty.
[[nodiscard]] std::string missing_library(const std::vector<std::string>& links,
                                          std::string_view words);

}  // namespace tensorpath
