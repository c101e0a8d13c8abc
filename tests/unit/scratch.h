// What tests of files need: a directory of their own, and children that are limited or killed.
#pragma once

#include "catch.h"

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tensorpath/base/file.h>

namespace tensorpath::test {

// A directory of its own per test, gone at the end.
class Scratch {
 public:
  explicit Scratch(const std::string& under = std::filesystem::temp_directory_path().string()) {
    std::string pattern = path_join(under, "tensorpath-test-XXXXXX");
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_join(path_, name); }
  // Hidden ones included.
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_),
                                                  std::filesystem::directory_iterator()));
  }

 private:
  std::string path_;
};

// Where a sync costs nothing, for tests that make thousands; kills do not care.
inline std::string in_memory() {
  constexpr const char* kShared = "/dev/shm";
  return ::access(kShared, W_OK) == 0 ? kShared : std::filesystem::temp_directory_path().string();
}

inline std::string contents(const std::string& path) {
  return read_file(path).value_or("(unreadable)");
}

inline pid_t start_child(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) ::_exit(body());
  return pid;
}

// The exit status, or 128 + the signal.
inline int wait_for(pid_t pid) {
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Runs `body` in a child process and returns its exit status; limits and mounts stay in there.
inline int in_child(const std::function<int()>& body) { return wait_for(start_child(body)); }

// In a child: a tmpfs over `path` that nobody else sees, as root or, where the kernel lets a plain
// user have namespaces of its own, as one of those. False where neither is allowed.
inline bool mount_private_tmpfs(const std::string& path, const std::string& options) {
  const auto uid = ::getuid();
  const auto gid = ::getgid();
  if (::unshare(CLONE_NEWNS) != 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    // A file needs an owner and a group that the new namespace knows.
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << fmt::format("0 {} 1", uid);
    std::ofstream("/proc/self/gid_map") << fmt::format("0 {} 1", gid);
  }
  return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", path.c_str(), "tmpfs", 0, options.c_str()) == 0;
}

inline bool make_read_only(const std::string& path) {
  return ::mount("none", path.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0;
}

enum class KillOutcome { kKilled, kFinished, kNoTracing };

// Runs `body` in a child and kills it at the `stop`-th place where it enters or leaves the kernel:
// an even one before the call is made, an odd one after it. kFinished: it has fewer.
inline KillOutcome kill_at_system_call(int stop, const std::function<void()>& body) {
  const pid_t pid = ::fork();
  REQUIRE(pid >= 0);
  if (pid == 0) {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(77);
    ::raise(SIGSTOP);
    body();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  if (!WIFSTOPPED(status)) return KillOutcome::kNoTracing;
  const auto options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
  REQUIRE(::ptrace(PTRACE_SETOPTIONS, pid, nullptr, options) == 0);
  for (int at = 0;; ++at) {
    REQUIRE(::ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr) == 0);
    REQUIRE(::waitpid(pid, &status, 0) == pid);
    if (!WIFSTOPPED(status)) return KillOutcome::kFinished;
    if (at == stop) break;
  }
  ::kill(pid, SIGKILL);
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return KillOutcome::kKilled;
}

}  // namespace tensorpath::test
