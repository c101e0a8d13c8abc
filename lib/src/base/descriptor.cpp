#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/base/units.h>

namespace tensorpath {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Large enough that a profile of a few MiB takes few calls, small enough for the stack's
// neighbours.
constexpr std::size_t kReadChunk = 64U << 10;
// flock has no time limit of its own, so a waiter asks again: soon, then less and less often.
constexpr milliseconds kFirstPause{1};
constexpr milliseconds kLongestPause{20};

std::string hint_for(int error) {
  switch (error) {
    case ENOSPC:
      return "the disk is full: free some space, or choose another place";
    case EDQUOT:
      return "the disk quota is used up: free some space";
    case EFBIG:
      return "the file size limit is reached (ulimit -f)";
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

bool is_out_of_room(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }

}  // namespace

FileDescriptor::~FileDescriptor() {
  if (fd_ > STDERR_FILENO) ::close(fd_);
}

bool FileDescriptor::close_now() { return ::close(std::exchange(fd_, -1)) == 0; }

tl::unexpected<Error> system_failure(ExitCode code, std::string_view what, const std::string& path,
                                     int error, std::string_view consequence) {
  std::string hint = hint_for(error);
  if (!consequence.empty() && is_out_of_room(error)) hint += fmt::format("; {}", consequence);
  return fail(code, fmt::format("{} {}: {}", what, quote_input(path), std::strerror(error)),
              std::move(hint));
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

bool write_all_at(int fd, std::string_view contents, std::size_t offset) {
  while (!contents.empty()) {
    const ssize_t written =
        ::pwrite(fd, contents.data(), contents.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    contents.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::size_t>(written);
  }
  return true;
}

Expected<std::string> read_descriptor(int fd, const std::string& name, std::size_t max_bytes) {
  struct stat status {};
  if (::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
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
    const ssize_t count = ::read(fd, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure(ExitCode::kUsage, "cannot read", name, errno);
    if (count == 0) return contents;
    if (contents.size() + static_cast<std::size_t>(count) > max_bytes) return too_large();
    contents.append(chunk.data(), static_cast<std::size_t>(count));
  }
}

Expected<std::string> read_descriptor_at(int fd, const std::string& name, std::size_t offset,
                                         std::size_t size) {
  std::string contents(size, '\0');
  std::size_t have = 0;
  while (have < size) {
    const ssize_t count =
        ::pread(fd, contents.data() + have, size - have, static_cast<off_t>(offset + have));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure(ExitCode::kUsage, "cannot read", name, errno);
    if (count == 0) break;
    have += static_cast<std::size_t>(count);
  }
  contents.resize(have);
  return contents;
}

Status write_new_file(const std::string& path, std::string_view contents, bool executable) {
  FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                           executable ? 0777 : 0666));
  if (!fd.valid()) return system_failure(ExitCode::kEnvironment, "cannot write", path, errno);
  if (write_all(fd.get(), contents) && ::fsync(fd.get()) == 0 && fd.close_now()) return {};
  const int error = errno;
  ::unlink(path.c_str());
  return system_failure(ExitCode::kEnvironment, "cannot write", path, error);
}

Status sync_directory(const std::string& directory) {
  const FileDescriptor fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || (::fsync(fd.get()) != 0 && errno != EINVAL)) {
    return system_failure(ExitCode::kEnvironment, "cannot sync directory", directory, errno);
  }
  return {};
}

Expected<bool> lock_descriptor(int fd, const std::string& name, LockMode mode, milliseconds wait) {
  const int operation = (mode == LockMode::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  const auto end = steady_clock::now() + wait;
  for (milliseconds pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    if (::flock(fd, operation) == 0) return true;
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) {
      return system_failure(ExitCode::kEnvironment, "cannot lock", name, errno);
    }
    const auto now = steady_clock::now();
    if (now >= end) return false;
    std::this_thread::sleep_for(std::min<steady_clock::duration>(pause, end - now));
  }
}

void unlock_descriptor(int fd) { ::flock(fd, LOCK_UN); }

}  // namespace tensorpath
