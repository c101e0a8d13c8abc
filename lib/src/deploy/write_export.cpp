// write_export: a whole directory appears by one rename, or nothing does.
#include <cstdio>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tensorpath/base/file.h>
#include <tensorpath/deploy.h>

namespace tensorpath {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> cannot(const std::string& what, const std::string& path,
                             const std::error_code& error) {
  return fail(ExitCode::kEnvironment, fmt::format("cannot {} {}: {}", what, path, error.message()));
}

bool is_empty_directory(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error) && fs::is_empty(path, error) && !error;
}

// Removes what a failed write has left; disarmed once the directory is in place.
class Leftover {
 public:
  explicit Leftover(fs::path path) : path_(std::move(path)) {}
  ~Leftover() {
    if (path_.empty()) return;
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Leftover(const Leftover&) = delete;
  Leftover& operator=(const Leftover&) = delete;
  void keep() { path_.clear(); }

 private:
  fs::path path_;
};

void sync_directory(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

Expected<fs::path> fresh_directory(const fs::path& parent, const std::string& name) {
  std::string pattern = (parent / fmt::format(".{}.XXXXXX", name)).string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    return cannot("create a directory in", parent.string(),
                  std::error_code(errno, std::generic_category()));
  }
  // mkdtemp's 0700 is for secrets; an export is for whoever may read its parent.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  ::chmod(pattern.c_str(), 0777 & ~mask);
  return fs::path(pattern);
}

// Swaps two directories in one step, so that a kill leaves the old one or the new one. Where the
// file system cannot, the old one steps aside first.
Status exchange(const fs::path& fresh, const fs::path& target) {
  if (::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, target.c_str(), RENAME_EXCHANGE) == 0) {
    return {};
  }
  std::error_code error;
  const fs::path aside = fresh.string() + ".old";
  fs::rename(target, aside, error);
  if (error) return cannot("replace", target.string(), error);
  fs::rename(fresh, target, error);
  if (error) {
    std::error_code ignored;
    fs::rename(aside, target, ignored);
    return cannot("write", target.string(), error);
  }
  fs::rename(aside, fresh, error);
  return {};
}

Status write_all(const std::vector<ExportedFile>& files, const fs::path& directory) {
  for (const ExportedFile& file : files) {
    const fs::path path = directory / file.path;
    if (auto made = make_directories(path.parent_path().string()); !made) return made;
    if (auto done = write_file_atomic(path.string(), file.contents, file.executable); !done) {
      return done;
    }
  }
  return {};
}

}  // namespace

Status write_export(const std::vector<ExportedFile>& files, const std::string& directory,
                    bool force) {
  std::error_code error;
  fs::path target = fs::absolute(directory, error).lexically_normal();
  if (error) return cannot("find", directory, error);
  if (!target.has_filename()) target = target.parent_path();  // "out/"
  const bool exists = fs::exists(fs::symlink_status(target, error));
  if (exists && !fs::is_directory(target)) {
    return fail(ExitCode::kUsage, fmt::format("{} is no directory", directory));
  }
  if (exists && !force && !is_empty_directory(target)) {
    return fail(ExitCode::kUsage, fmt::format("{} is not empty", directory),
                "choose another directory, or replace it with --force");
  }
  const fs::path parent = target.parent_path();
  if (auto made = make_directories(parent.string()); !made) return made;
  auto fresh = fresh_directory(parent, target.filename().string());
  if (!fresh) return tl::unexpected(fresh.error());
  Leftover leftover(*fresh);
  if (auto written = write_all(files, *fresh); !written) return written;
  sync_directory(*fresh);

  if (!exists || is_empty_directory(target)) {
    fs::rename(*fresh, target, error);
    if (error) return cannot("write", directory, error);
    leftover.keep();
  } else if (auto swapped = exchange(*fresh, target); !swapped) {
    return swapped;  // the fresh directory's place now holds the old one, which goes
  }
  sync_directory(parent);
  return {};
}

}  // namespace tensorpath
