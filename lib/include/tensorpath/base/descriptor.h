// Open files, one level below base/file.h: a descriptor that closes itself, locks that end with
// their holder, and the few durable operations that logs and directories of many files are built
// from.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include <tensorpath/base/error.h>

namespace tensorpath {

// Owns a file descriptor. Standard input, output and error are held but never closed.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileDescriptor();

  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] bool valid() const noexcept { return fd_ >= 0; }
  // Closes now, so that an error that only close() reports (NFS, quota) is seen.
  [[nodiscard]] bool close_now();

 private:
  int fd_ = -1;
};

// "cannot read 'PATH': No such file or directory", with a hint where there is one to give.
// `error` is an errno value; `consequence` is added to the hint of a write that failed.
[[nodiscard]] tl::unexpected<Error> system_failure(ExitCode code, std::string_view what,
                                                   const std::string& path, int error,
                                                   std::string_view consequence = {});

// Writes everything; false, with errno set, when it could not.
[[nodiscard]] bool write_all(int fd, std::string_view contents);
// The same from an offset on; the file's position does not move.
[[nodiscard]] bool write_all_at(int fd, std::string_view contents, std::size_t offset);
// From the position to the end. `name` is for messages. Errors: a directory, larger than max_bytes.
[[nodiscard]] Expected<std::string> read_descriptor(int fd, const std::string& name,
                                                    std::size_t max_bytes);
// `size` bytes from an offset on; fewer where the file ends.
[[nodiscard]] Expected<std::string> read_descriptor_at(int fd, const std::string& name,
                                                       std::size_t offset, std::size_t size);

// A new file, synced; an error where there is one of that name. Not atomic: for files in a
// directory that nobody else sees yet.
[[nodiscard]] Status write_new_file(const std::string& path, std::string_view contents,
                                    bool executable = false);
// Makes the entries of a directory durable. File systems that cannot sync one have nothing to do.
[[nodiscard]] Status sync_directory(const std::string& directory);

enum class LockMode { kShared, kExclusive };

// flock(2): the lock belongs to the open file, so it ends when the last process that holds this
// descriptor ends, however it ends. False when somebody else still had it after `wait`.
[[nodiscard]] Expected<bool> lock_descriptor(
    int fd, const std::string& name, LockMode mode,
    std::chrono::milliseconds wait = std::chrono::milliseconds{0});
void unlock_descriptor(int fd);

}  // namespace tensorpath
