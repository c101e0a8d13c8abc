#include "operator_cache.h"

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/file.h>
#include <tensorpath/harness/operator_directory.h>

namespace tensorpath {
namespace {

constexpr std::size_t kSeal = 64;              // hex digits of SHA-256
constexpr std::size_t kMostBytes = 64U << 20;  // an object has 200 KB
constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;

// Behind the object, where the loader does not look: it tells a torn file and one that lies under
// another's name.
std::string seal_of(const std::string& key, std::string_view object) {
  return sha256_hex(key + sha256_hex(object));
}

bool is_own(const struct stat& status) {
  return status.st_uid == ::geteuid() && (status.st_mode & kOthersWrite) == 0;
}

Status unfit(const std::string& path, std::string_view what) {
  return fail(ExitCode::kEnvironment,
              fmt::format("compiled operators cannot be kept in {}: {}", quote_input(path), what),
              "name a place of your own in XDG_CACHE_HOME");
}

}  // namespace

std::string operator_cache_path() { return user_cache_path("ops"); }

Status check_operator_cache(const std::string& path) {
  if (path.empty()) {
    return fail(ExitCode::kEnvironment, "there is no place for compiled operators",
                "set HOME, or XDG_CACHE_HOME to a directory of your own");
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    return errno == ENOENT ? Status{} : unfit(path, "it cannot be looked at");
  }
  if (!S_ISDIR(status.st_mode)) return unfit(path, "it is no directory");
  if (status.st_uid != ::geteuid()) return unfit(path, "it is another user's");
  if ((status.st_mode & kOthersWrite) != 0) {
    return fail(
        ExitCode::kEnvironment,
        fmt::format("others may write to {}, where compiled operators are kept", quote_input(path)),
        fmt::format("chmod go-w {}", path));
  }
  return {};
}

Expected<OperatorCache> OperatorCache::open(const std::string& path) {
  if (!path.empty() && !directory_exists(path)) {
    const std::string parent = std::filesystem::path(path).parent_path().string();
    if (const Status made = make_directories(parent.empty() ? "." : parent); !made) {
      return tl::unexpected(made.error());
    }
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
      return system_failure(ExitCode::kEnvironment, "cannot make directory", path, errno);
    }
  }
  if (const Status fit = check_operator_cache(path); !fit) return tl::unexpected(fit.error());
  return OperatorCache(path);
}

std::string OperatorCache::file_of(const std::string& op, const std::string& key) const {
  return path_join(path_, fmt::format("{}-{}.so", op, key.substr(0, 32)));
}

std::optional<std::string> OperatorCache::find(const std::string& op,
                                               const std::string& key) const {
  std::string path = file_of(op, key);
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return std::nullopt;
  if (!S_ISREG(status.st_mode) || !is_own(status)) return std::nullopt;
  const auto bytes = read_descriptor(fd.get(), path, kMostBytes);
  if (!bytes || bytes->size() <= kSeal) return std::nullopt;
  const std::string_view object = std::string_view(*bytes).substr(0, bytes->size() - kSeal);
  if (bytes->substr(object.size()) != seal_of(key, object)) return std::nullopt;
  return path;
}

Expected<std::string> OperatorCache::store(const std::string& op, const std::string& key,
                                           const std::string& object) const {
  std::string path = file_of(op, key);
  // Whatever is there is replaced and never taken away first: another process may be about to load
  // what it has just stored.
  if (const Status written = write_private_file(path, object + seal_of(key, object)); !written) {
    return tl::unexpected(written.error());
  }
  return path;
}

}  // namespace tensorpath
