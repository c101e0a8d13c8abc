// What the sandbox's tests run inside: one attempt at something per call, told by the exit status
// (0: it worked, else the errno) or by what is left of it. Static, so that it needs no view of its
// own.
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using Arguments = std::vector<std::string>;

int result_of(long value) { return value < 0 ? errno : 0; }

int read_path(const Arguments& a) {
  const int fd = ::open(a[0].c_str(), O_RDONLY);
  if (fd < 0) return errno;
  char byte = 0;
  return result_of(::read(fd, &byte, 1));
}

int list(const Arguments& a) {
  DIR* entries = ::opendir(a[0].c_str());
  if (entries == nullptr) return errno;
  while (const dirent* entry = ::readdir(entries)) std::printf("%s\n", entry->d_name);
  return 0;
}

int write_path(const Arguments& a) {
  const int fd = ::open(a[0].c_str(), O_WRONLY | O_CREAT, 0644);
  if (fd < 0) return errno;
  return result_of(::write(fd, "x", 1));
}

// Changes nothing, even where it is allowed.
int open_to_write(const Arguments& a) { return result_of(::open(a[0].c_str(), O_WRONLY)); }

int connect_tcp(const Arguments& a) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(a[0])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return result_of(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address));
}

int connect_abstract(const Arguments& a) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return errno;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + 1, a[0].data(), a[0].size());
  return result_of(::connect(fd, reinterpret_cast<sockaddr*>(&address),
                             static_cast<socklen_t>(sizeof(sa_family_t) + 1 + a[0].size())));
}

int send_signal(const Arguments& a) { return result_of(::kill(std::stoi(a[0]), std::stoi(a[1]))); }

int trace(const Arguments& a) {
  return result_of(::ptrace(PTRACE_ATTACH, std::stoi(a[0]), nullptr, nullptr));
}

// How the memory of another process may be read: by the system call, and by its file.
int read_memory(const Arguments& a) {
  std::uint64_t secret = 0;
  iovec local{&secret, sizeof secret};
  iovec remote{nullptr, sizeof secret};
  const std::uintptr_t address = std::stoull(a[1]);
  std::memcpy(&remote.iov_base, &address, sizeof address);
  if (::process_vm_readv(std::stoi(a[0]), &local, 1, &remote, 1, 0) > 0) return 0;
  const int error = errno;
  const int fd = ::open(("/proc/" + a[0] + "/mem").c_str(), O_RDONLY);
  if (fd >= 0 && ::pread(fd, &secret, sizeof secret, static_cast<off_t>(std::stoull(a[1]))) > 0) {
    return 0;
  }
  return error;
}

int fork_bomb(const Arguments&) {
  while (true) {
    // Parents and children alike go on; what cannot fork waits and tries again.
    if (::fork() < 0) ::usleep(1000);
  }
}

int memory_bomb(const Arguments& a) {
  constexpr std::size_t kStep = 16U << 20;
  const int sharing = a[0] == "shared" ? MAP_SHARED : MAP_PRIVATE;
  while (true) {
    void* memory = ::mmap(nullptr, kStep, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return errno;
    std::memset(memory, 1, kStep);
  }
}

// Children that are each below a limit and together above it.
int many_small(const Arguments& a) {
  for (int i = 0; i < std::stoi(a[0]); ++i) {
    if (::fork() == 0) {
      std::vector<char> memory(std::stoull(a[1]), 1);
      while (true) ::pause();
    }
  }
  while (true) ::pause();
}

int flood(const Arguments& a) {
  const std::string line(1024, a[0][0]);
  while (::write(a[0] == "e" ? 2 : 1, line.data(), line.size()) >= 0) {
  }
  return errno;
}

int print(const Arguments& a) {
  std::fputs(a[0].c_str(), stdout);
  std::fputs(a[1].c_str(), stderr);
  return 0;
}

int ignore_signals(const Arguments&) {
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_IGN);
  while (true) ::pause();
}

int stop_self(const Arguments&) {
  ::raise(SIGSTOP);
  return 0;
}

int daemon_left(const Arguments&) {
  if (::fork() == 0) {
    (void)::setsid();
    if (::fork() == 0) {
      ::signal(SIGTERM, SIG_IGN);
      while (true) ::pause();
    }
    ::_exit(0);
  }
  ::wait(nullptr);
  return 0;
}

int spin(const Arguments&) {
  for (volatile std::uint64_t i = 0;;) i = i + 1;
}

int spin_in_children(const Arguments& a) {
  for (int i = 0; i < std::stoi(a[0]); ++i) {
    if (::fork() == 0) return spin({});
  }
  while (::wait(nullptr) > 0) {
  }
  return 0;
}

int wait_forever(const Arguments&) {
  while (true) ::pause();
}

// Counts in shared memory from several threads, spinning and sleeping ones, and in a child when
// told.
int count(const Arguments& a) {
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, std::stoi(a[0]), 0);
  if (memory == MAP_FAILED) return errno;
  auto* counters = static_cast<std::atomic<std::uint64_t>*>(memory);
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([counters] {
      for (;; ::usleep(100)) ++counters[0];
    });
  }
  if (a[1] == "child" && ::fork() == 0) {
    while (true) {
      ++counters[1];
      ::kill(::getppid(), SIGCONT);  // undoes a stop of the parent
    }
  }
  while (true) ++counters[0];
}

int print_environment(const Arguments&) {
  for (char** entry = environ; *entry != nullptr; ++entry) std::printf("%s\n", *entry);
  return 0;
}

int print_state(const Arguments&) {
  for (int fd = 0; fd < 1024; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) std::printf("fd %d\n", fd);
  }
  sigset_t mask;
  ::sigprocmask(SIG_SETMASK, nullptr, &mask);
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler != SIG_DFL) {
      std::printf("signal %d not default\n", signal);
    }
    if (sigismember(&mask, signal) == 1) std::printf("signal %d blocked\n", signal);
  }
  char byte = 0;
  std::printf("stdin %ld\n", static_cast<long>(::read(0, &byte, 1)));
  rlimit core{};
  ::getrlimit(RLIMIT_CORE, &core);
  std::printf("core %lu\n", static_cast<unsigned long>(core.rlim_max));
  std::array<char, 4096> cwd{};
  std::printf("cwd %s\n", ::getcwd(cwd.data(), cwd.size()) != nullptr ? cwd.data() : "?");
  return 0;
}

int fill_file(const Arguments& a) {
  ::signal(SIGXFSZ, SIG_IGN);
  const int fd = ::open(a[0].c_str(), O_WRONLY | O_CREAT, 0644);
  if (fd < 0) return errno;
  const std::string block(1U << 16, 'x');
  for (std::uint64_t written = 0; written < std::stoull(a[1]); written += block.size()) {
    if (::write(fd, block.data(), block.size()) < 0) return errno;
  }
  return 0;
}

int set_user_id(const Arguments& a) {
  const int fd = ::open(a[0].c_str(), O_WRONLY | O_CREAT, 04755);
  if (fd >= 0) return 0;
  if (::open(a[0].c_str(), O_WRONLY | O_CREAT, 0755) < 0) return errno;
  if (::chmod(a[0].c_str(), 04755) == 0 || ::chmod(a[0].c_str(), 02755) == 0) return 0;
  if (::syscall(452, AT_FDCWD, a[0].c_str(), 04755, 0) == 0) return 0;
  return errno;
}

// System calls that lead out, each by its name: prints those that worked.
int escape(const Arguments&) {
  const auto attempt = [](const char* name, long value) {
    if (value >= 0) std::printf("%s\n", name);
  };
  attempt("unshare", ::unshare(CLONE_NEWUSER));
  attempt("mount", ::mount("tmpfs", "/usr", "tmpfs", 0, nullptr));
  attempt("clone", ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, 0));
  attempt("chroot", ::chroot("/usr"));
  attempt("keyctl", ::syscall(SYS_keyctl, 0, -3, 0));
  attempt("bpf", ::syscall(SYS_bpf, 5, nullptr, 0));
  attempt("io_uring", ::syscall(SYS_io_uring_setup, 1, nullptr));
  attempt("userfaultfd", ::syscall(SYS_userfaultfd, 1));
  attempt("perf_event_open", ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0));
  attempt("shmget", ::syscall(SYS_shmget, 0, 4096, 0600));
  attempt("memfd_create", ::syscall(SYS_memfd_create, "x", 0));
  attempt("inet", ::socket(AF_INET, SOCK_DGRAM, 0));
  attempt("inet6", ::socket(AF_INET6, SOCK_STREAM, 0));
  attempt("netlink", ::socket(AF_NETLINK, SOCK_RAW, 0));
  attempt("packet", ::socket(AF_PACKET, SOCK_RAW, 0));
  attempt("setuid", ::setresuid(0, 0, 0));
  // An open without a mode leaves rubbish in its place, which must not matter.
  if (::syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY, 0177777) < 0) std::printf("mode\n");
  attempt("limits", [] {
    const rlimit more{1 << 20, 1 << 20};
    return ::setrlimit(RLIMIT_NPROC, &more);
  }());
  return 0;
}

// Limits, priority and processors of another process, also with more bits than the kernel looks at.
int meddle(const Arguments& a) {
  const long long pid = std::stoll(a[0]);
  const rlimit none{0, 0};
  const unsigned long processors = 1;
  for (const long long high : {0LL, 1LL << 32}) {
    const long long target = pid | high;
    if (::syscall(SYS_prlimit64, target, RLIMIT_NOFILE, &none, nullptr) == 0) std::puts("limit");
    if (::syscall(SYS_sched_setaffinity, target, sizeof processors, &processors) == 0) {
      std::puts("processors");
    }
    if (::syscall(SYS_setpriority, PRIO_PROCESS, target, 19) == 0) std::puts("priority");
    if (::syscall(SYS_setpriority, PRIO_USER | high, 0, 19) == 0) std::puts("user's priority");
    if (::syscall(SYS_ioprio_set, 1, target, 3 << 13) == 0) std::puts("I/O priority");
  }
  int ends[2];
  if (::pipe(ends) == 0 && ::fcntl(ends[0], F_SETOWN, static_cast<int>(pid)) == 0 &&
      ::fcntl(ends[0], F_SETSIG, SIGKILL) == 0 && ::fcntl(ends[0], F_SETFL, O_ASYNC) == 0) {
    (void)result_of(::write(ends[1], "x", 1));
  }
  return 0;
}

// As many children as it gets, all alive at once.
int count_children(const Arguments& a) {
  int children = 0;
  while (children < std::stoi(a[0])) {
    const pid_t pid = ::fork();
    if (pid < 0) break;
    if (pid == 0) return wait_forever({});
    ++children;
  }
  std::printf("%d\n", children);
  return 0;
}

// Each descriptor gets its own number.
int write_descriptors(const Arguments& a) {
  for (int fd = std::stoi(a[0]); fd <= std::stoi(a[1]); ++fd) {
    const std::string number = std::to_string(fd);
    if (::write(fd, number.data(), number.size()) < 0) return errno;
  }
  return 0;
}

// Holds a descriptor in a whole family: it closes when the last of them is gone.
int hold(const Arguments& a) {
  (void)result_of(::write(std::stoi(a[0]), "x", 1));
  for (int i = 0; i < 3; ++i) {
    if (::fork() == 0) (void)::setsid();
  }
  return ignore_signals({});
}

int address(const Arguments&) {
  std::printf("%p\n", ::mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  return 0;
}

int exit_with(const Arguments& a) { return std::stoi(a[0]); }

int end_by_signal(const Arguments& a) {
  ::raise(std::stoi(a[0]));
  return 0;
}

int leave_in_tmp(const Arguments& a) {
  const std::string root = a[0].empty() ? std::string(std::getenv("TMPDIR")) : a[0];
  if (::mkdir((root + "/left").c_str(), 0700) != 0) return errno;
  const int status = write_path({root + "/left/file"});
  ::chmod((root + "/left").c_str(), 0);
  return status;
}

struct Attempt {
  const char* name;
  int (*run)(const Arguments&);
};
constexpr Attempt kAttempts[] = {{"read", read_path},
                                 {"list", list},
                                 {"write", write_path},
                                 {"open_to_write", open_to_write},
                                 {"connect", connect_tcp},
                                 {"connect_abstract", connect_abstract},
                                 {"signal", send_signal},
                                 {"trace", trace},
                                 {"read_memory", read_memory},
                                 {"fork_bomb", fork_bomb},
                                 {"memory_bomb", memory_bomb},
                                 {"many_small", many_small},
                                 {"flood", flood},
                                 {"print", print},
                                 {"ignore_signals", ignore_signals},
                                 {"stop_self", stop_self},
                                 {"daemon", daemon_left},
                                 {"spin", spin},
                                 {"spin_in_children", spin_in_children},
                                 {"wait", wait_forever},
                                 {"count", count},
                                 {"environment", print_environment},
                                 {"state", print_state},
                                 {"fill", fill_file},
                                 {"set_user_id", set_user_id},
                                 {"escape", escape},
                                 {"meddle", meddle},
                                 {"children", count_children},
                                 {"write_descriptors", write_descriptors},
                                 {"hold", hold},
                                 {"address", address},
                                 {"exit", exit_with},
                                 {"raise", end_by_signal},
                                 {"leave_in_tmp", leave_in_tmp}};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const Arguments arguments(argv + 2, argv + argc);
  for (const Attempt& attempt : kAttempts) {
    if (std::strcmp(attempt.name, argv[1]) != 0) continue;
    const int status = attempt.run(arguments);
    std::fflush(stdout);
    return status;
  }
  return 2;
}
