#include "building_directory.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/random.h>

namespace tensorpath {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = ".building-";
// A cleaner may take a directory in the moment before it is locked; that it happens again and again
// is not to be believed.
constexpr int kMostTries = 16;

FileDescriptor open_directory(const std::string& path) {
  return FileDescriptor(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
}

// Locked, and still the directory at `path`: a builder that is done has moved it away.
bool own(const FileDescriptor& fd, const std::string& path) {
  const auto locked = lock_descriptor(fd.get(), path, LockMode::kExclusive);
  struct stat held {};
  struct stat there {};
  return locked && *locked && ::fstat(fd.get(), &held) == 0 && ::lstat(path.c_str(), &there) == 0 &&
         held.st_dev == there.st_dev && held.st_ino == there.st_ino;
}

Expected<std::string> random_name(const std::string& name) {
  const auto bytes = random_bytes(sizeof(std::uint32_t));
  if (!bytes) return tl::unexpected(bytes.error());
  std::uint32_t bits = 0;
  std::memcpy(&bits, bytes->data(), sizeof bits);
  return fmt::format("{}{}-{:08x}", kPrefix, name, bits);
}

// 0, EEXIST, or another errno. Where the file system knows no RENAME_NOREPLACE, plain rename will
// do: it replaces no directory that has something in it, and those here do.
int rename_without_replacing(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (::rename(from.c_str(), to.c_str()) == 0) return 0;
  return errno == ENOTEMPTY || errno == ENOTDIR ? EEXIST : errno;
}

}  // namespace

BuildingDirectory::BuildingDirectory(std::string root, std::string path, FileDescriptor fd)
    : root_(std::move(root)), path_(std::move(path)), fd_(std::move(fd)) {}

BuildingDirectory::BuildingDirectory(BuildingDirectory&& other) noexcept
    : root_(std::move(other.root_)),
      path_(std::exchange(other.path_, {})),
      fd_(std::move(other.fd_)),
      directories_(std::move(other.directories_)) {}

BuildingDirectory::~BuildingDirectory() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

Expected<BuildingDirectory> BuildingDirectory::make(const std::string& root,
                                                    const std::string& name) {
  for (int round = 0; round < kMostTries; ++round) {
    const auto hidden = random_name(name);
    if (!hidden) return tl::unexpected(hidden.error());
    std::string path = path_join(root, *hidden);
    if (::mkdir(path.c_str(), 0777) != 0) {
      if (errno == EEXIST) continue;
      return system_failure(ExitCode::kEnvironment, "cannot make directory", path, errno);
    }
    FileDescriptor fd = open_directory(path);
    if (fd.valid() && own(fd, path)) {
      return BuildingDirectory(root, std::move(path), std::move(fd));
    }
    ::rmdir(path.c_str());
  }
  return fail(ExitCode::kEnvironment,
              fmt::format("cannot lock a new directory in {}", quote_input(root)),
              "the file system may lack flock(2): choose another place");
}

Status BuildingDirectory::make_directory(const std::string& path) {
  for (std::size_t end = path.find('/');; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (directories_.insert(part).second) {
      const std::string full = path_join(path_, part);
      if (::mkdir(full.c_str(), 0777) != 0) {
        return system_failure(ExitCode::kEnvironment, "cannot make directory", full, errno);
      }
    }
    if (end == std::string::npos) return {};
  }
}

Status BuildingDirectory::write(const std::string& path, std::string_view contents,
                                bool executable) {
  const std::size_t slash = path.rfind('/');
  if (slash != std::string::npos) {
    if (Status made = make_directory(path.substr(0, slash)); !made) return made;
  }
  return write_new_file(path_join(path_, path), contents, executable);
}

Expected<bool> BuildingDirectory::move_to(const std::string& target) {
  for (const std::string& directory : directories_) {
    if (const Status synced = sync_directory(path_join(path_, directory)); !synced) {
      return tl::unexpected(synced.error());
    }
  }
  if (::fsync(fd_.get()) != 0 && errno != EINVAL) {
    return system_failure(ExitCode::kEnvironment, "cannot sync directory", path_, errno);
  }
  const int error = rename_without_replacing(path_, target);
  if (error == EEXIST) return false;
  if (error != 0) return system_failure(ExitCode::kEnvironment, "cannot make", target, error);
  path_.clear();
  (void)sync_directory(root_);  // the rename is done: everybody sees the directory
  return true;
}

void remove_abandoned_buildings(const std::string& root) {
  std::error_code error;
  for (fs::directory_iterator entry(root, error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(kPrefix)) continue;
    const std::string path = entry->path().string();
    const FileDescriptor fd = open_directory(path);
    if (!fd.valid() || !own(fd, path)) continue;
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
}

}  // namespace tensorpath
