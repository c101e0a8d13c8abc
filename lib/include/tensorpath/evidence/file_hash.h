// SHA-256 of a file of any size, read once and never held whole.
#pragma once

#include <string>

#include <tensorpath/base/error.h>

namespace tensorpath {

// Lowercase hex. Errors: it cannot be read, or is no regular file; a symbolic link is not followed.
[[nodiscard]] Expected<std::string> sha256_file(const std::string& path);

}  // namespace tensorpath
