#include "init.h"

#include <cerrno>
#include <cmath>
#include <csignal>

#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tensorpath::sandbox {
namespace {

[[noreturn]] void fail(const Spec& spec, const char* what, const char* path) {
  fail_start(spec, StartFailure::kBroken, what, path, errno);
}

void limit(const Spec& spec, __rlimit_resource resource, std::uint64_t soft, std::uint64_t hard) {
  rlimit now{};
  if (::getrlimit(resource, &now) == 0 && now.rlim_max != RLIM_INFINITY) {
    hard = hard < now.rlim_max ? hard : now.rlim_max;
    soft = soft < hard ? soft : hard;
  }
  const rlimit wanted{soft, hard};
  if (::setrlimit(resource, &wanted) != 0) fail(spec, "cannot set a resource limit", "");
}

void set_limits(const Spec& spec) {
  const Settings& settings = spec.settings();
  limit(spec, RLIMIT_CORE, 0, 0);
  limit(spec, RLIMIT_MSGQUEUE, 0, 0);
  // The usual 8 MiB, and room for a program that asks for more.
  limit(spec, RLIMIT_STACK, 8U << 20, 64U << 20);
  if (settings.file_bytes != 0) {
    limit(spec, RLIMIT_FSIZE, settings.file_bytes, settings.file_bytes);
  }
  if (settings.address_space_bytes != 0) {
    limit(spec, RLIMIT_AS, settings.address_space_bytes, settings.address_space_bytes);
  }
  if (settings.cpu_s > 0) {
    const auto seconds = static_cast<std::uint64_t>(std::ceil(settings.cpu_s));
    limit(spec, RLIMIT_CPU, seconds, seconds + 1);
  }
  const auto open_files = static_cast<std::uint64_t>(settings.open_files);
  limit(spec, RLIMIT_NOFILE, open_files, open_files);
}

// Above all target numbers first, so that no pair overwrites one that is still to be placed.
void place_descriptors(const Spec& spec, int& started) {
  int above = 3;
  for (const FdPair& pair : spec.fds) above = pair.there >= above ? pair.there + 1 : above;
  const auto lift = [&](int fd) {
    const int lifted = ::fcntl(fd, F_DUPFD_CLOEXEC, above);
    if (lifted < 0) fail(spec, "cannot pass a descriptor", "");
    return lifted;
  };
  const int out = lift(spec.out[1]);
  const int err = lift(spec.err[1]);
  started = lift(started);
  for (FdPair& pair : spec.fds) pair.here = lift(pair.here);
  const int null = ::open("/dev/null", O_RDONLY);
  if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(err, 2) < 0) {
    fail(spec, "cannot set up the standard descriptors", "");
  }
  if (null > 2) ::close(null);
  for (const FdPair& pair : spec.fds) {
    if (::dup2(pair.here, pair.there) < 0) fail(spec, "cannot pass a descriptor", "");
  }
}

void filter_system_calls(const Spec& spec) {
  if (spec.filter.size == 0) return;
  if (spec.settings().pid_placeholder_at >= 0) {
    spec.filter.data[spec.settings().pid_placeholder_at].k = static_cast<std::uint32_t>(::getpid());
  }
  const sock_fprog program{static_cast<unsigned short>(spec.filter.size), spec.filter.data};
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
    fail_start(spec, StartFailure::kRefused, "cannot install the seccomp filter", "", errno);
  }
}

// Again after each change of user, which clears it.
void follow_init(const Spec& spec) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail(spec, "cannot follow the init", "");
  if (::getppid() != spec.init_pid) ::_exit(1);
}

void prepare(const Spec& spec, int& started) {
  follow_init(spec);
  (void)::setsid();
  (void)::umask(022);
  // Whoever runs out of memory, it is not the rest of the machine.
  (void)write_text(spec.host_proc, "self/oom_score_adj", "1000");
  const int ruleset = make_ruleset(spec);
  become_user(spec);
  follow_init(spec);
  // Below kNamespaces the kernel counts all tasks of the user, so those there come on top.
  const std::uint64_t tasks = static_cast<std::uint64_t>(spec.settings().processes) +
                              (spec.namespaces() ? 0 : count_tasks_of(spec, ::geteuid()));
  limit(spec, RLIMIT_NPROC, tasks, tasks);
  if (::chdir(spec.working_directory) != 0) fail(spec, "cannot enter", spec.working_directory);
  if (spec.settings().fixed_addresses != 0 && ::personality(ADDR_NO_RANDOMIZE) < 0) {
    fail(spec, "cannot fix the addresses", "");
  }
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    fail(spec, "cannot give up new privileges", "");
  }
  enter_ruleset(spec, ruleset);
  // From here on the numbers of the program's descriptors are taken.
  place_descriptors(spec, started);
  set_limits(spec);
}

}  // namespace

void become_program(const Spec& spec, int started) {
  prepare(spec, started);
  filter_system_calls(spec);
  sigset_t none;
  sigemptyset(&none);
  (void)::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (spec.settings().probe != 0) ::_exit(0);
  ::execve(spec.argv.data[0], spec.argv.data, spec.environment.data);
  fail(spec, "cannot run", spec.argv.data[0]);
}

}  // namespace tensorpath::sandbox
