// A directory for build products.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/error.h>
#include <tensorpath/base/file.h>

namespace tensorpath {

// A directory of its own under the system's temporary one, gone at the end.
class Scratch {
 public:
  static Expected<Scratch> make(const std::string& wanted) {
    if (!wanted.empty()) {
      if (const Status made = make_directories(wanted); !made) return tl::unexpected(made.error());
      std::error_code error;
      return Scratch(std::filesystem::absolute(wanted, error).string(), false);
    }
    std::string path = (std::filesystem::temp_directory_path() / "tensorpath-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) {
      return system_failure(ExitCode::kEnvironment, "cannot make directory", path, errno);
    }
    return Scratch(path, true);
  }
  Scratch(Scratch&& other) noexcept
      : path_(std::exchange(other.path_, {})), temporary_(other.temporary_) {}
  Scratch& operator=(Scratch&&) = delete;
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty() && temporary_) std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Scratch(std::string path, bool temporary) : path_(std::move(path)), temporary_(temporary) {}
  std::string path_;
  bool temporary_;
};

}  // namespace tensorpath
