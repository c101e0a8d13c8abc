#include <algorithm>
#include <cstdlib>

#include <tensorpath/base/file.h>
#include <tensorpath/harness/toolchain.h>

namespace tensorpath {

std::string host_compiler() {
  for (const char* path :
       {"/usr/bin/g++", "/usr/local/bin/g++", "/usr/bin/c++", "/usr/bin/clang++"}) {
    if (file_exists(path)) return path;
  }
  return {};
}

Expected<std::string> require_host_compiler() {
  std::string compiler = host_compiler();
  if (!compiler.empty()) return compiler;
  return fail(ExitCode::kEnvironment, "there is no C++ compiler on this machine",
              "install g++ (Debian and Ubuntu: apt-get install g++)");
}

std::string sanitizer_runtime(std::string_view library) {
  const std::string root = "/usr/lib/gcc";
  std::string found;
  int newest = -1;
  for (const std::string& target : list_directories(root)) {
    const std::string compilers = path_join(root, target);
    for (const std::string& version : list_directories(compilers)) {
      const std::string path = path_join(path_join(compilers, version), library);
      const int number = static_cast<int>(std::strtol(version.c_str(), nullptr, 10));
      if (number <= newest || !file_exists(path)) continue;
      newest = number;
      found = path;
    }
  }
  return found;
}

}  // namespace tensorpath
