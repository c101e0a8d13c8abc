#include "init.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tensorpath::sandbox {

void fail_start(const Spec& spec, StartFailure failure, const char* what, const char* path,
                int error) {
  Report& report = spec.shared->report;
  // The first reason is the cause; what fails afterwards follows from it.
  if (report.failure == StartFailure::kNone) {
    std::snprintf(report.text, sizeof report.text, "%s%s%s%s: %s", what, *path != 0 ? " '" : "",
                  path, *path != 0 ? "'" : "", std::strerror(error));
    report.failure = failure;
  }
  remove_temporary(spec);
  ::_exit(1);
}

void* allocate(std::size_t bytes) {
  void* memory = std::calloc(1, bytes + 1);
  if (memory == nullptr) ::_exit(1);
  return memory;
}

bool write_text(int directory, const char* path, const char* text) {
  const int fd = ::openat(directory, path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const auto size = static_cast<ssize_t>(std::strlen(text));
  const bool written = ::write(fd, text, static_cast<std::size_t>(size)) == size;
  const int error = errno;
  ::close(fd);
  errno = error;
  return written;
}

namespace {

class ListReader {
 public:
  explicit ListReader(char* at) : at_(at) {}

  std::uint32_t number() {
    std::uint32_t value = 0;
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  char* text() {
    const std::uint32_t size = number();
    char* begin = at_;
    at_ += (std::size_t{size} + 1 + 3) / 4 * 4;
    return begin;
  }
  List<char*> texts() {
    const std::uint32_t count = number();
    auto* data = static_cast<char**>(allocate((count + 2) * sizeof(char*)));
    for (std::uint32_t i = 0; i < count; ++i) data[i] = text();
    return {data, count};
  }
  template <typename T>
  List<T> items() {
    const std::uint32_t count = number();
    return {static_cast<T*>(allocate(count * sizeof(T))), count};
  }
  template <typename T>
  void bytes(T& value) {
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
  }

 private:
  char* at_;
};

void read_lists(Spec& spec) {
  ListReader reader(reinterpret_cast<char*>(spec.shared) + spec.shared->lists_at);
  spec.argv = reader.texts();
  spec.environment = reader.texts();
  spec.working_directory = reader.text();
  spec.view = reader.items<ViewItem>();
  for (ViewItem& item : spec.view) {
    item.source = reader.text();
    item.target = reader.text();
    item.flags = reader.number();
  }
  spec.fds = reader.items<FdPair>();
  for (FdPair& pair : spec.fds) {
    pair.here = static_cast<int>(reader.number());
    pair.there = static_cast<int>(reader.number());
  }
  spec.filter = reader.items<sock_filter>();
  for (sock_filter& instruction : spec.filter) reader.bytes(instruction);
}

bool open_shared(Spec& spec, int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return false;
  void* memory = ::mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ | PROT_WRITE,
                        MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return false;
  ::close(fd);
  spec.shared = static_cast<Shared*>(memory);
  read_lists(spec);
  return true;
}

// Everything that the caller had open and did not pass. All are kept past an exec only by name.
void close_others(const Spec& spec) {
  const auto kept = [&](int fd) {
    if (fd == spec.control || fd == spec.parent) return true;
    for (const FdPair& pair : spec.fds) {
      if (fd == pair.here) return true;
    }
    return false;
  };
  int highest = spec.control > spec.parent ? spec.control : spec.parent;
  for (const FdPair& pair : spec.fds) highest = pair.here > highest ? pair.here : highest;
  for (int fd = 0; fd <= highest; ++fd) {
    if (!kept(fd)) ::close(fd);
  }
  (void)::close_range(static_cast<unsigned>(highest) + 1, ~0U, 0);
  (void)::close_range(0, ~0U, CLOSE_RANGE_CLOEXEC);
}

void reset_signals() {
  for (int signal = 1; signal < NSIG; ++signal) (void)::signal(signal, SIG_DFL);
  sigset_t all;
  sigfillset(&all);
  (void)::sigprocmask(SIG_SETMASK, &all, nullptr);
}

bool parent_is_gone(const Spec& spec) {
  pollfd item{spec.parent, POLLIN, 0};
  return ::poll(&item, 1, 0) > 0;
}

void open_standard(Spec& spec) {
  // Descriptors 0, 1 and 2 exist from here on, so that nothing else lands on them.
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) fail_start(spec, StartFailure::kBroken, "cannot open", "/dev/null", errno);
  for (int fd = null; fd < 2;) fd = ::fcntl(null, F_DUPFD_CLOEXEC, 0);
  if (::pipe2(spec.out, O_CLOEXEC) != 0 || ::pipe2(spec.err, O_CLOEXEC) != 0) {
    fail_start(spec, StartFailure::kBroken, "cannot make a pipe", "", errno);
  }
  // Only the read end: the program's writes wait as they do elsewhere.
  (void)::fcntl(spec.out[0], F_SETFL, O_NONBLOCK);
  (void)::fcntl(spec.err[0], F_SETFL, O_NONBLOCK);
}

pid_t start_program(Spec& spec) {
  int started[2];
  if (::pipe2(started, O_CLOEXEC) != 0) {
    fail_start(spec, StartFailure::kBroken, "cannot make a pipe", "", errno);
  }
  const pid_t pid = ::fork();
  if (pid < 0) fail_start(spec, StartFailure::kBroken, "cannot fork", "", errno);
  if (pid == 0) become_program(spec, started[1]);
  ::close(started[1]);
  char byte = 0;
  while (::read(started[0], &byte, 1) < 0 && errno == EINTR) {
  }
  ::close(started[0]);
  if (spec.shared->report.failure != StartFailure::kNone) {
    remove_temporary(spec);
    ::_exit(1);
  }
  return pid;
}

// Goes on as the first process of new namespaces; this one only waits for it.
void enter_namespaces(const Spec& spec) {
  make_namespaces(spec);
  const pid_t inner = ::fork();
  if (inner < 0) fail_start(spec, StartFailure::kRefused, "cannot fork", "", errno);
  if (inner == 0) {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    return;
  }
  // Their ends are seen when the sandbox's own are closed.
  ::close(spec.control);
  for (const FdPair& pair : spec.fds) ::close(pair.here);
  int status = 0;
  while (::waitpid(inner, &status, 0) < 0 && errno == EINTR) {
  }
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

int run(int argc, char** argv) {
  if (argc != kArgCount) return 2;
  Spec spec;
  spec.control = static_cast<int>(std::strtol(argv[kArgControl], nullptr, 10));
  spec.parent = static_cast<int>(std::strtol(argv[kArgParent], nullptr, 10));
  if (!open_shared(spec, static_cast<int>(std::strtol(argv[kArgShared], nullptr, 10)))) return 2;
  close_others(spec);
  reset_signals();
  (void)::prctl(PR_SET_NAME, "tensorpath-box");
  (void)::prctl(PR_SET_DUMPABLE, 0);
  (void)::setsid();  // a Ctrl-C is the caller's to handle
  spec.host_proc = ::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (spec.namespaces() && ::getpid() != 1) enter_namespaces(spec);
  spec.init_pid = ::getpid();
  // From here on a signal to "all" is one to all of the namespace.
  if (spec.namespaces() && spec.init_pid != 1) {
    fail_start(spec, StartFailure::kRefused, "cannot be first in a pid namespace", "", EPERM);
  }
  if (parent_is_gone(spec)) return 1;
  open_standard(spec);
  if (spec.namespaces()) {
    make_root(spec);
  } else {
    if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
      fail_start(spec, StartFailure::kBroken, "cannot adopt orphans", "", errno);
    }
    spec.proc = ::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    make_temporary(spec);
  }
  const pid_t program = start_program(spec);
  return supervise(spec, program);
}

}  // namespace
}  // namespace tensorpath::sandbox

int main(int argc, char** argv) { return tensorpath::sandbox::run(argc, argv); }
