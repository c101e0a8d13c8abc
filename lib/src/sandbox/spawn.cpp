#include "spawn.h"

#include "init_image.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tensorpath::sandbox {
namespace {

constexpr std::size_t kStackBytes = 64U << 10;
constexpr int kFirstFd = 3;  // where the init's descriptors may begin

struct Number {
  std::array<char, 12> text{};
};

// What the child needs, made before it exists. It shares this memory until it becomes the init, so
// it only makes system calls and writes here.
struct Child {
  int image = -1;
  std::array<int, kArgCount> fds{};  // by InitArgument
  std::array<Number, kArgCount> numbers{};
  std::array<char*, kArgCount + 1> argv{};
  std::array<char*, 1> environment{};
  const SandboxSpec* spec = nullptr;
  char* fd_pairs = nullptr;
  const char* uid_map = nullptr;  // null: no user namespace of its own
  const char* gid_map = nullptr;
  int error = 0;
  const char* step = "";
};

void write_number(int value, Number& number) {
  std::size_t at = number.text.size() - 1;
  std::array<char, 12> digits{};
  do {
    digits[--at] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value > 0);
  std::memcpy(number.text.data(), digits.data() + at, digits.size() - at);
}

bool write_file(const char* path, const char* text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const auto size = static_cast<ssize_t>(std::strlen(text));
  const bool written = ::write(fd, text, static_cast<std::size_t>(size)) == size;
  const int error = errno;
  ::close(fd);
  errno = error;
  return written;
}

bool become_init(Child& child) {
  if (child.uid_map != nullptr) {
    child.step = "cannot map the user";
    if (!write_file("/proc/self/setgroups", "deny") ||
        !write_file("/proc/self/uid_map", child.uid_map) ||
        !write_file("/proc/self/gid_map", child.gid_map)) {
      return false;
    }
  }
  // A duplicate survives the exec; the originals do not.
  child.step = "cannot pass a descriptor";
  for (int i = 1; i < kArgCount; ++i) {
    const int fd = ::fcntl(child.fds.at(static_cast<std::size_t>(i)), F_DUPFD, kFirstFd);
    if (fd < 0) return false;
    write_number(fd, child.numbers.at(static_cast<std::size_t>(i)));
  }
  for (std::size_t i = 0; i < child.spec->fds.size(); ++i) {
    const int fd = ::fcntl(child.spec->fds[i].parent_fd, F_DUPFD, kFirstFd);
    if (fd < 0) return false;
    std::memcpy(child.fd_pairs + 8 * i, &fd, sizeof fd);
  }
  child.step = "cannot start the sandbox's init";
  (void)::syscall(SYS_execveat, child.image, "", child.argv.data(), child.environment.data(),
                  AT_EMPTY_PATH);
  return false;
}

int child_main(void* argument) {
  auto& child = *static_cast<Child*>(argument);
  if (!become_init(child)) child.error = errno;
  ::_exit(127);
}

// Root's sandbox as another user: the init changes user first and makes them by itself.
int namespace_flags(const Settings& settings) {
  if (settings.isolation == Isolation::kUserNamespace && settings.run_as_uid != kKeepUser) return 0;
  switch (settings.isolation) {
    case Isolation::kRootNamespace:
      return CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    case Isolation::kUserNamespace:
      return CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC |
             CLONE_NEWUTS;
    default:
      return 0;
  }
}

// The child borrows this thread's memory: no handler may run in it.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

void clone_child(Child& child, int flags, Spawned& spawned) {
  // From the heap: the child never returns from its frames, and only the allocator makes the
  // address sanitizer forget what they poisoned.
  const auto stack = std::make_unique_for_overwrite<std::byte[]>(kStackBytes);
  {
    const AllSignalsBlocked blocked;
    spawned.pid =
        ::clone(child_main, stack.get() + kStackBytes,
                CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD | flags, &child, &spawned.pidfd);
    if (spawned.pid < 0) {
      child.error = errno;
      child.step = "cannot make namespaces";
    }
  }
  if (child.error == 0) return;
  spawned.failure = fmt::format("{}: {}", child.step, std::strerror(child.error));
  if (spawned.pid < 0) return;
  ::waitpid(spawned.pid, nullptr, 0);
  ::close(spawned.pidfd);
  spawned.pid = spawned.pidfd = -1;
}

}  // namespace

Spawned spawn_init(const SandboxSpec& spec, const EncodedSpec& encoded) {
  Spawned spawned;
  const int flags = namespace_flags(encoded.memory.shared().settings);
  const Expected<int> image = init_image();
  if (!image) {
    spawned.failure = image.error().diagnostics.front().message;
    return spawned;
  }
  std::array<int, 2> sockets{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
    spawned.failure = fmt::format("cannot make a socket: {}", std::strerror(errno));
    return spawned;
  }
  // Readable once this process is gone, however it goes.
  const auto self = static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0));
  if (self < 0) {
    spawned.failure = fmt::format("cannot open this process: {}", std::strerror(errno));
  } else {
    const std::string uid_map = fmt::format("0 {} 1", ::geteuid());
    const std::string gid_map = fmt::format("0 {} 1", ::getegid());
    std::array<char, 16> name{"tensorpath-box"};
    Child child;
    child.image = *image;
    child.fds = {-1, encoded.memory.fd(), sockets[1], self};
    child.spec = &spec;
    child.fd_pairs = encoded.memory.bytes() + encoded.fds_at;
    child.argv[0] = name.data();
    for (std::size_t i = 1; i < kArgCount; ++i) child.argv.at(i) = child.numbers.at(i).text.data();
    if ((flags & CLONE_NEWUSER) != 0) {
      child.uid_map = uid_map.c_str();
      child.gid_map = gid_map.c_str();
    }
    clone_child(child, flags, spawned);
    ::close(self);
  }
  ::close(sockets[1]);
  if (spawned.pid < 0) {
    ::close(sockets[0]);
  } else {
    spawned.control = sockets[0];
  }
  return spawned;
}

}  // namespace tensorpath::sandbox
