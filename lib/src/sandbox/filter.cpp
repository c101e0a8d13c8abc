#include "filter.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tensorpath::sandbox {
namespace {

// No process has this pid (the kernel's most is 2^22); the init puts the right one in its place.
constexpr std::uint32_t kPidPlaceholder = 0x7e57ab1eU;
constexpr std::uint64_t kNewNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
                                         CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

// Ways to the kernel's administration, to other processes, to more privileges, and to parts of the
// kernel that are large, rarely needed and often the way out.
constexpr const char* kRefused[] = {
    // other processes
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "process_mrelease",
    "pidfd_getfd",
    "kcmp",
    "migrate_pages",
    "move_pages",
    // namespaces and mounts
    "unshare",
    "setns",
    "mount",
    "umount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "open_by_handle_at",
    "name_to_handle_at",
    // keys, tracing, filters, asynchronous calls that no filter sees
    "add_key",
    "request_key",
    "keyctl",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "fanotify_init",
    "lookup_dcookie",
    // memory that outlives or escapes its process
    "shmget",
    "shmat",
    "shmctl",
    "semget",
    "semop",
    "semtimedop",
    "semctl",
    "msgget",
    "msgsnd",
    "msgrcv",
    "msgctl",
    "mq_open",
    "memfd_secret",
    // the machine
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "swapon",
    "swapoff",
    "acct",
    "quotactl",
    "quotactl_fd",
    "syslog",
    "settimeofday",
    "stime",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "sethostname",
    "setdomainname",
    "vhangup",
    "nfsservctl",
    "_sysctl",
    "sysfs",
    "uselib",
    "ustat",
    "iopl",
    "ioperm",
    "modify_ldt",
    "vm86",
    "vm86old",
};

// These change the mode of a file, in the argument of that position. A set-user-id file that the
// program leaves behind would be one of its user's.
struct ModeCall {
  const char* name;
  unsigned argument;
};
constexpr ModeCall kModeCalls[] = {{"chmod", 1}, {"fchmod", 1},  {"fchmodat", 2}, {"creat", 1},
                                   {"mkdir", 1}, {"mkdirat", 2}, {"mknod", 1},    {"mknodat", 2}};
// Here only where the flags before it say that there is a mode; else it is any rubbish.
constexpr ModeCall kOpenCalls[] = {{"open", 2}, {"openat", 3}};
constexpr std::uint64_t kOpenTemporary = 020000000;  // O_TMPFILE without its O_DIRECTORY
// Since Linux 6.6; libseccomp of Debian 12 does not know it.
constexpr int kFchmodat2 = 452;

class Builder {
 public:
  Builder() : context_(::seccomp_init(SCMP_ACT_ALLOW), ::seccomp_release) {
    if (context_ == nullptr) error_ = ENOMEM;
  }

  template <typename... Compare>
  void refuse(int call, int error, Compare... compare) {
    if (call == __NR_SCMP_ERROR || error_ != 0) return;
    const std::array<scmp_arg_cmp, sizeof...(Compare)> comparisons{compare...};
    const int result =
        ::seccomp_rule_add_array(context_.get(), SCMP_ACT_ERRNO(static_cast<std::uint32_t>(error)),
                                 call, sizeof...(Compare), comparisons.data());
    // What this processor does not have (EDOM, EEXIST: two names for one call) needs no rule.
    if (result < 0 && result != -EDOM && result != -EEXIST) error_ = -result;
  }
  template <typename... Compare>
  void refuse(const char* name, int error, Compare... compare) {
    refuse(::seccomp_syscall_resolve_name(name), error, compare...);
  }

  [[nodiscard]] Expected<std::vector<std::uint64_t>> instructions();

 private:
  std::unique_ptr<void, decltype(&::seccomp_release)> context_;
  int error_ = 0;
};

Expected<std::vector<std::uint64_t>> Builder::instructions() {
  const auto failure = [](int error) {
    return fail(ExitCode::kEnvironment,
                fmt::format("cannot build the seccomp filter: {}", std::strerror(error)));
  };
  if (error_ != 0) return failure(error_);
  // Calls by the 32-bit gate and x32 numbers fail. The default kills the thread that makes one, and
  // the others wait for it for ever.
  (void)::seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
  // A search tree instead of a row of comparisons.
  (void)::seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  const int fd = ::memfd_create("tensorpath-filter", MFD_CLOEXEC);
  if (fd < 0) return failure(errno);
  const int exported = ::seccomp_export_bpf(context_.get(), fd);
  struct stat status {};
  std::vector<std::uint64_t> out;
  bool complete = exported == 0 && ::fstat(fd, &status) == 0;
  if (complete) {
    out.resize(static_cast<std::size_t>(status.st_size) / sizeof(sock_filter));
    complete = ::pread(fd, out.data(), static_cast<std::size_t>(status.st_size), 0) ==
               static_cast<ssize_t>(status.st_size);
  }
  ::close(fd);
  if (!complete) return failure(exported < 0 ? -exported : EIO);
  return out;
}

// The kernel takes most arguments as 32 bits: what a program puts above them must not hide a match.
scmp_arg_cmp equals(unsigned argument, std::uint64_t value) {
  return {argument, SCMP_CMP_MASKED_EQ, 0xffffffffU, value};
}

void refuse_set_user_id(Builder& builder) {
  for (const ModeCall& call : kModeCalls) {
    for (const std::uint64_t bit : {S_ISUID, S_ISGID}) {
      builder.refuse(call.name, EPERM, scmp_arg_cmp{call.argument, SCMP_CMP_MASKED_EQ, bit, bit});
    }
  }
  for (const ModeCall& call : kOpenCalls) {
    for (const std::uint64_t bit : {S_ISUID, S_ISGID}) {
      for (const std::uint64_t flag : {std::uint64_t{O_CREAT}, kOpenTemporary}) {
        builder.refuse(call.name, EPERM,
                       scmp_arg_cmp{call.argument - 1, SCMP_CMP_MASKED_EQ, flag, flag},
                       scmp_arg_cmp{call.argument, SCMP_CMP_MASKED_EQ, bit, bit});
      }
    }
  }
  for (const std::uint64_t bit : {S_ISUID, S_ISGID}) {
    builder.refuse(kFchmodat2, EPERM, scmp_arg_cmp{2, SCMP_CMP_MASKED_EQ, bit, bit});
  }
  // Its mode is in memory, where a filter cannot look. Nobody needs it: the C library does not.
  builder.refuse("openat2", ENOSYS);
}

// Limits, priorities and processors of other processes: of the first process of a pid namespace, or
// of whatever else runs as the same user.
void refuse_touching_others(Builder& builder, bool own_pids) {
  builder.refuse("prlimit64", EPERM, scmp_arg_cmp{0, SCMP_CMP_NE, 0, 0});
  const auto other = [own_pids](unsigned argument) {
    return own_pids ? equals(argument, 1) : scmp_arg_cmp{argument, SCMP_CMP_NE, 0, 0};
  };
  for (const char* name :
       {"sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr"}) {
    builder.refuse(name, EPERM, other(0));
  }
  for (const char* name : {"setpriority", "ioprio_set"}) {
    builder.refuse(name, EPERM, other(1));
  }
  builder.refuse("setpriority", EPERM, equals(0, PRIO_USER));
  constexpr std::uint64_t kIoPriorityOfUser = 3;  // IOPRIO_WHO_USER
  builder.refuse("ioprio_set", EPERM, equals(0, kIoPriorityOfUser));
  if (own_pids) {
    builder.refuse("socket", EACCES, scmp_arg_cmp{0, SCMP_CMP_NE, AF_UNIX, 0});
    return;
  }
  // Landlock does not keep a program from the host's sockets that have a path.
  builder.refuse("socket", EACCES);
  // All that it starts stays in one group, which a signal reaches at once.
  builder.refuse("setsid", EPERM);
  builder.refuse("setpgid", EPERM);
}

void refuse_foreign_signals(Builder& builder) {
  for (const char* name :
       {"kill", "tkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"}) {
    builder.refuse(name, EPERM);
  }
  builder.refuse("tgkill", EPERM, scmp_arg_cmp{0, SCMP_CMP_NE, kPidPlaceholder, 0});
  // A descriptor with an owner sends it any signal, SIGKILL too.
  for (const std::uint64_t command : {F_SETOWN, F_SETOWN_EX, F_SETSIG}) {
    builder.refuse("fcntl", EPERM, equals(1, command));
  }
  for (const std::uint64_t command : {FIOSETOWN, SIOCSPGRP}) {
    builder.refuse("ioctl", EPERM, equals(1, command));
  }
}

Expected<Filter> build(const FilterRules& rules) {
  Builder builder;
  for (const char* name : kRefused) builder.refuse(name, EPERM);
  // Its flags are in memory; the C library then uses clone, whose flags are not.
  builder.refuse("clone3", ENOSYS);
  for (std::uint64_t flag = 1; flag <= kNewNamespaces; flag <<= 1) {
    if ((kNewNamespaces & flag) == 0) continue;
    builder.refuse("clone", EPERM, scmp_arg_cmp{0, SCMP_CMP_MASKED_EQ, flag, flag});
  }
  refuse_set_user_id(builder);
  if (!rules.memfd) builder.refuse("memfd_create", EPERM);
  refuse_touching_others(builder, rules.own_pids);
  if (!rules.foreign_signals) refuse_foreign_signals(builder);
  auto instructions = builder.instructions();
  if (!instructions) return tl::unexpected(instructions.error());
  Filter filter{std::move(*instructions), -1};
  int placeholders = 0;
  for (std::size_t i = 0; i < filter.instructions.size(); ++i) {
    sock_filter instruction{};
    std::memcpy(&instruction, &filter.instructions[i], sizeof instruction);
    if (instruction.k != kPidPlaceholder) continue;
    filter.pid_at = static_cast<int>(i);
    ++placeholders;
  }
  if (placeholders != (rules.foreign_signals ? 0 : 1)) {
    return fail(ExitCode::kEnvironment, "the seccomp filter does not hold the program's pid once");
  }
  return filter;
}

}  // namespace

Expected<Filter> make_filter(const FilterRules& rules) {
  using Key = std::tuple<bool, bool, bool>;
  static std::mutex mutex;
  static std::map<Key, Filter> built;
  const std::lock_guard lock(mutex);
  const Key key(rules.own_pids, rules.foreign_signals, rules.memfd);
  const auto found = built.find(key);
  if (found != built.end()) return found->second;
  Expected<Filter> filter = build(rules);
  if (filter) built.emplace(key, *filter);
  return filter;
}

bool seccomp_available() {
  std::uint32_t action = SECCOMP_RET_ERRNO;
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

}  // namespace tensorpath::sandbox
