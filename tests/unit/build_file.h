// What was built beside the tests.
#pragma once

#include <cstdlib>
#include <string>

#include <tensorpath/base/file.h>

namespace tensorpath::test {

// `path` of the build directory, "bin/tensorpath-worker".
inline std::string build_file(const std::string& path) {
  const char* build = std::getenv("TENSORPATH_BUILD_DIR");
  return path_join(build == nullptr ? "build/dev" : build, path);
}

}  // namespace tensorpath::test
