#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tensorpath/base/file.h>
#include <tensorpath/base/units.h>

namespace tensorpath {
namespace {

namespace fs = std::filesystem;

// Large enough that a profile of a few MiB takes few calls, small enough for the stack's
// neighbours.
constexpr std::size_t kReadChunk = 64U << 10;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ > STDERR_FILENO) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }
  // Closes now, so that an error that only close() reports (NFS, quota) is seen.
  [[nodiscard]] bool close_now() {
    const int fd = fd_;
    fd_ = -1;
    return ::close(fd) == 0;
  }

 private:
  int fd_;
};

// Removes the temporary file unless the rename went through.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  void keep() { path_.clear(); }

 private:
  std::string path_;
};

std::string hint_for(int error) {
  switch (error) {
    case ENOSPC:
      return "the disk is full: free some space, or choose another place; the old file is "
             "untouched";
    case EDQUOT:
      return "the disk quota is used up: free some space; the old file is untouched";
    case EFBIG:
      return "the file size limit is reached (ulimit -f); the old file is untouched";
    case EACCES:
    case EPERM:
      return "check the permissions of the file and its directory";
    case EROFS:
      return "the file system is read-only: choose another place";
    case ENOENT:
      return "check the spelling of the path";
    case ENOTDIR:
      return "a part of the path is a file, not a directory";
    default:
      return {};
  }
}

tl::unexpected<Error> system_failure(ExitCode code, const char* what, const std::string& path,
                                     int error) {
  return fail(code, fmt::format("{} {}: {}", what, quote_input(path), std::strerror(error)),
              hint_for(error));
}

bool write_all(int fd, std::string_view contents) {
  while (!contents.empty()) {
    const ssize_t written = ::write(fd, contents.data(), contents.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    contents.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::string random_suffix() {
  std::uint64_t bits = 0;
  if (::getrandom(&bits, sizeof bits, 0) != static_cast<ssize_t>(sizeof bits)) {
    bits = static_cast<std::uint64_t>(::getpid());  // O_EXCL still refuses a name that is taken
  }
  return fmt::format("{:016x}", bits);
}

// A directory entry is durable only once the directory itself is synced. File systems that cannot
// sync a directory (EINVAL) have nothing to do.
void sync_directory(const std::string& directory) {
  const FileDescriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() >= 0) (void)::fsync(fd.get());
}

// A pipe or a device cannot be replaced by a rename; it takes the bytes as they come.
Status write_in_place(const std::string& path, std::string_view contents) {
  const FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd.get() < 0 || !write_all(fd.get(), contents)) {
    return system_failure(ExitCode::kEnvironment, "cannot write", path, errno);
  }
  return {};
}

Status write_and_rename(const std::string& path, std::string_view contents, mode_t mode,
                        bool keep_mode) {
  const fs::path target(path);
  const std::string directory = target.has_parent_path() ? target.parent_path().string() : ".";
  TemporaryFile temporary(
      (fs::path(directory) / ("." + target.filename().string() + "." + random_suffix() + ".tmp"))
          .string());
  FileDescriptor fd(
      ::open(temporary.path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (fd.get() < 0) {
    const int error = errno;
    temporary.keep();  // not ours
    return system_failure(ExitCode::kEnvironment, "cannot write", path, error);
  }
  const bool written = write_all(fd.get(), contents) &&
                       (!keep_mode || ::fchmod(fd.get(), mode) == 0) && ::fsync(fd.get()) == 0 &&
                       fd.close_now() && ::rename(temporary.path().c_str(), path.c_str()) == 0;
  if (!written) return system_failure(ExitCode::kEnvironment, "cannot write", path, errno);
  temporary.keep();
  sync_directory(directory);
  return {};
}

std::vector<std::string> list_entries(const std::string& directory, bool directories,
                                      std::string_view suffix) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const bool wanted = directories ? it->is_directory(ignored) : it->is_regular_file(ignored);
    std::string name = it->path().filename().string();
    const bool ends = name.size() >= suffix.size() &&
                      std::string_view(name).substr(name.size() - suffix.size()) == suffix;
    // Hidden files are editors' and our own temporaries.
    if (wanted && ends && name.front() != '.') names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

Expected<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  const bool standard_input = path == "-";
  const std::string name = standard_input ? "standard input" : path;
  const FileDescriptor fd(standard_input ? STDIN_FILENO
                                         : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return system_failure(ExitCode::kUsage, "cannot read", name, errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return fail(ExitCode::kUsage,
                fmt::format("{} is a directory, expected a file", quote_input(name)),
                "name a file in it");
  }
  const auto too_large = [&] {
    return fail(ExitCode::kUsage,
                fmt::format("{} is larger than {}, the most that is read", quote_input(name),
                            human_bytes(static_cast<double>(max_bytes))),
                "is it the right file?");
  };
  // The size is a hint and an early refusal only: a pipe has none and /proc files say zero.
  const auto size = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
  if (S_ISREG(status.st_mode) && size > max_bytes) return too_large();
  std::string contents;
  contents.reserve(S_ISREG(status.st_mode) ? size : 0);
  std::array<char, kReadChunk> chunk{};
  while (true) {
    const ssize_t count = ::read(fd.get(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure(ExitCode::kUsage, "cannot read", name, errno);
    if (count == 0) return contents;
    if (contents.size() + static_cast<std::size_t>(count) > max_bytes) return too_large();
    contents.append(chunk.data(), static_cast<std::size_t>(count));
  }
}

Status write_file_atomic(const std::string& path, std::string_view contents, bool executable) {
  // A symbolic link stays one: its target is replaced.
  std::error_code error;
  std::string target = path;
  if (fs::is_symlink(path, error)) {
    const fs::path resolved = fs::weakly_canonical(path, error);
    if (!error) target = resolved.string();
  }
  struct stat status {};
  if (::stat(target.c_str(), &status) != 0) {
    return write_and_rename(target, contents, executable ? 0777 : 0666, false);
  }
  if (S_ISDIR(status.st_mode)) {
    return fail(ExitCode::kUsage,
                fmt::format("{} is a directory, expected a file", quote_input(path)),
                "name a file in it");
  }
  if (!S_ISREG(status.st_mode)) return write_in_place(target, contents);
  mode_t mode = status.st_mode & 07777U;
  if (executable) mode |= (mode & 0444U) >> 2U;  // whoever may read may run
  return write_and_rename(target, contents, mode, true);
}

Status make_directories(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error && !fs::is_directory(path, error) && !error) error = {ENOTDIR, std::system_category()};
  if (error) {
    return system_failure(ExitCode::kEnvironment, "cannot make directory", path, error.value());
  }
  return {};
}

bool file_exists(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool directory_exists(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

std::vector<std::string> list_files(const std::string& directory, std::string_view suffix) {
  return list_entries(directory, false, suffix);
}

std::vector<std::string> list_directories(const std::string& directory) {
  return list_entries(directory, true, "");
}

std::string path_join(std::string_view a, std::string_view b) {
  if (a.empty() || (!b.empty() && b.front() == '/')) return std::string(b);
  std::string out(a);
  if (b.empty()) return out;
  if (out.back() != '/') out += '/';
  return out.append(b);
}

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL has no SHA-256");
  }
  std::string out;
  for (unsigned int i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
  return out;
}

}  // namespace tensorpath
