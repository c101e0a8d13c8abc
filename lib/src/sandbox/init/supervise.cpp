#include "init.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tensorpath::sandbox {
namespace {

constexpr double kSampleEvery_s = 0.02;
// A stop takes microseconds; a program that keeps resuming itself is sent SIGSTOP again each round.
constexpr double kStopWithin_s = 10;
// Below kNamespaces, processes that fork as fast as they are killed are given up on after this.
constexpr double kKillWithin_s = 10;
constexpr int kCapabilityKill = 5;  // CAP_KILL: the program is another user's

double now_s() {
  timespec time{};
  (void)::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

class Supervisor {
 public:
  Supervisor(Spec& spec, pid_t program, int child_events)
      : spec_(spec),
        report_(spec.shared->report),
        program_(program),
        child_events_(child_events),
        begin_s_(now_s()),
        next_sample_s_(begin_s_ + kSampleEvery_s) {}

  void run() {
    while (end_ == WireEnd::kNone && !program_ended()) step();
    report_.wall_s = now_s() - begin_s_;
    kill_all();
    while (take_output(spec_.out[0], spec_.shared->out_at, report_.out_size) ||
           take_output(spec_.err[0], spec_.shared->err_at, report_.err_size)) {
    }
    finish();
  }

 private:
  void step();
  [[nodiscard]] int timeout_ms() const;
  void answer();
  void sample();
  [[nodiscard]] bool take_output(int fd, std::uint64_t area, std::uint64_t& size);

  [[nodiscard]] bool program_ended() const;
  [[nodiscard]] bool program_stopped() const;
  void signal_all(int signal) const;
  [[nodiscard]] bool others_stopped() const;
  [[nodiscard]] bool freeze();
  void await_child(int milliseconds) const;

  void kill_all();
  [[nodiscard]] bool reap();
  void finish();

  Spec& spec_;
  Report& report_;
  const pid_t program_;
  const int child_events_;
  const double begin_s_;
  double next_sample_s_;
  WireEnd end_ = WireEnd::kNone;  // why we ended it
  bool killing_ = false;
  int status_ = 0;  // of the program, from waitpid
  bool reaped_program_ = false;
};

bool Supervisor::program_ended() const {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(program_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
         info.si_pid != 0;
}

// Not consumed, so that it is seen for as long as the program is stopped.
bool Supervisor::program_stopped() const {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(program_), &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid != 0;
}

void Supervisor::signal_all(int signal) const {
  if (spec_.namespaces()) {
    (void)::kill(-1, signal);  // of the namespace, but this one
    return;
  }
  // All of a group at once: no fork slips through. The group's number is the program's for as long
  // as the program has not been waited for.
  if (!reaped_program_) (void)::kill(-program_, signal);
  // The filter lets nothing leave the group; what is to die is looked for all the same.
  if (!reaped_program_ && spec_.filter.size > 0 && signal != SIGKILL) return;
  for (const Process& process : list_descendants(spec_)) signal_process(spec_, process, signal);
}

bool Supervisor::others_stopped() const {
  for (const Process& process : list_descendants(spec_)) {
    if (process.pid != program_ && !all_threads_stopped(spec_, process.pid)) return false;
  }
  return true;
}

void Supervisor::await_child(int milliseconds) const {
  pollfd item{child_events_, POLLIN, 0};
  if (::poll(&item, 1, milliseconds) > 0) {
    signalfd_siginfo info;
    (void)!::read(child_events_, &info, sizeof info);
  }
}

bool Supervisor::freeze() {
  const double until_s = now_s() + kStopWithin_s;
  while (now_s() < until_s) {
    signal_all(SIGSTOP);
    for (int round = 0; round < 2; ++round) {
      if (program_ended()) return false;
      if (program_stopped() && others_stopped() && program_stopped()) return true;
      await_child(1);
    }
  }
  end_ = WireEnd::kKilled;  // what cannot be stopped is ended
  return false;
}

void Supervisor::answer() {
  char message = 0;
  const ssize_t count = ::recv(spec_.control, &message, 1, MSG_DONTWAIT);
  if (count < 0) return;
  char reply = kNo;
  if (count == 0 || message == kAskKill) {
    end_ = WireEnd::kKilled;
    return;
  }
  if (message == kAskFreeze && freeze()) reply = kYes;
  if (message == kAskStopped && program_stopped()) reply = kYes;
  if (message == kAskThaw && !program_ended()) {
    signal_all(SIGCONT);
    reply = kYes;
  }
  (void)::send(spec_.control, &reply, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool Supervisor::take_output(int fd, std::uint64_t area, std::uint64_t& size) {
  const std::uint64_t room = spec_.shared->output_bytes - report_.out_size - report_.err_size;
  char* memory = reinterpret_cast<char*>(spec_.shared) + area + size;
  char beyond = 0;
  const ssize_t count = room > 0 ? ::read(fd, memory, room) : ::read(fd, &beyond, 1);
  if (count <= 0) return false;
  if (room > 0) {
    size += static_cast<std::uint64_t>(count);
    return true;
  }
  report_.output_cut = 1;
  if (end_ == WireEnd::kNone) end_ = WireEnd::kOutputLimit;
  return false;
}

void Supervisor::sample() {
  const Settings& settings = spec_.settings();
  const Descendants processes = list_descendants(spec_);
  // A limit that cannot be looked after is not one; a machine without /proc was said to be so.
  if (!processes.ok && spec_.proc >= 0) end_ = WireEnd::kKilled;
  std::uint64_t resident = 0;
  std::uint64_t threads = 0;
  double cpu_s = 0;
  for (const Process& process : processes) {
    resident += process.resident_bytes;
    threads += process.threads;
    cpu_s += process.cpu_s;
  }
  rusage reaped{};
  (void)::getrusage(RUSAGE_CHILDREN, &reaped);
  cpu_s += seconds(reaped.ru_utime) + seconds(reaped.ru_stime);
  report_.peak_bytes = std::max(report_.peak_bytes, resident);
  if (end_ != WireEnd::kNone) return;
  if (settings.resident_bytes != 0 && resident > settings.resident_bytes) {
    end_ = WireEnd::kMemoryLimit;
  } else if (threads > static_cast<std::uint64_t>(settings.processes)) {
    end_ = WireEnd::kProcessLimit;
  } else if (settings.cpu_s > 0 && cpu_s > settings.cpu_s) {
    end_ = WireEnd::kCpuLimit;
  }
  next_sample_s_ = now_s() + kSampleEvery_s;
}

int Supervisor::timeout_ms() const {
  double until_s = 1e18;
  if (spec_.settings().wall_s > 0) until_s = begin_s_ + spec_.settings().wall_s;
  if (spec_.settings().sample != 0) until_s = std::min(until_s, next_sample_s_);
  if (until_s > 1e17) return -1;
  // Rounded up, so that the time is over when poll returns.
  return static_cast<int>(std::clamp((until_s - now_s()) * 1e3 + 1, 0.0, 1e9));
}

void Supervisor::step() {
  pollfd items[] = {{spec_.parent, POLLIN, 0},
                    {spec_.control, POLLIN, 0},
                    {child_events_, POLLIN, 0},
                    {spec_.out[0], POLLIN, 0},
                    {spec_.err[0], POLLIN, 0}};
  if (::poll(items, 5, timeout_ms()) < 0 && errno != EINTR) ::_exit(1);
  if (items[0].revents != 0) end_ = WireEnd::kKilled;
  if (items[1].revents != 0) answer();
  if (items[2].revents != 0) {
    await_child(0);
    if (!program_ended()) (void)reap();
  }
  // A closed pipe would wake each poll: it is not looked at again.
  if (items[3].revents != 0 && !take_output(spec_.out[0], spec_.shared->out_at, report_.out_size) &&
      (items[3].revents & POLLIN) == 0) {
    ::close(spec_.out[0]);
    spec_.out[0] = -1;
  }
  if (items[4].revents != 0 && !take_output(spec_.err[0], spec_.shared->err_at, report_.err_size) &&
      (items[4].revents & POLLIN) == 0) {
    ::close(spec_.err[0]);
    spec_.err[0] = -1;
  }
  if (end_ != WireEnd::kNone || program_ended()) return;
  if (spec_.settings().wall_s > 0 && now_s() >= begin_s_ + spec_.settings().wall_s) {
    end_ = WireEnd::kWallLimit;
  } else if (spec_.settings().sample != 0 && now_s() >= next_sample_s_) {
    sample();
  }
}

// Waits for every child that has ended. False: there is no child, not even a living one.
bool Supervisor::reap() {
  while (true) {
    int status = 0;
    const pid_t pid = ::waitpid(-1, &status, WNOHANG | __WALL);
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) return false;
    if (pid == 0) return true;
    if (pid == program_) {
      status_ = status;
      reaped_program_ = true;
    } else if (killing_ && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
      ++report_.leftovers;  // it was alive when the program ended
    }
  }
}

void Supervisor::kill_all() {
  killing_ = true;
  const double until_s = now_s() + kKillWithin_s;
  do {
    signal_all(SIGKILL);
    if (!reap()) {
      report_.nothing_left = 1;
      return;
    }
    await_child(1);
  } while (spec_.namespaces() || now_s() < until_s);
}

void Supervisor::finish() {
  rusage usage{};
  (void)::getrusage(RUSAGE_CHILDREN, &usage);
  report_.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  report_.peak_bytes =
      std::max(report_.peak_bytes, static_cast<std::uint64_t>(usage.ru_maxrss) * 1024);
  const double cpu_limit_s = spec_.settings().cpu_s;
  if (end_ != WireEnd::kNone) {
    report_.end = end_;
  } else if (WIFEXITED(status_)) {
    report_.end = WireEnd::kExited;
    report_.exit_code = WEXITSTATUS(status_);
  } else {
    const int signal = WTERMSIG(status_);
    // The kernel sends SIGXCPU at the limit and SIGKILL a second later.
    const bool by_limit =
        cpu_limit_s > 0 && (signal == SIGXCPU || signal == SIGKILL) && report_.cpu_s >= cpu_limit_s;
    report_.end = by_limit ? WireEnd::kCpuLimit : WireEnd::kSignalled;
  }
  if (WIFSIGNALED(status_)) report_.signal = WTERMSIG(status_);
}

int open_child_events() {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  return ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
}

}  // namespace

int supervise(Spec& spec, pid_t program) {
  ::close(spec.out[1]);
  ::close(spec.err[1]);
  for (const FdPair& pair : spec.fds) ::close(pair.here);
  const int child_events = open_child_events();
  if (child_events < 0) return 1;
  if (spec.namespaces()) drop_capabilities(1U << kCapabilityKill);
  (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  (void)::send(spec.control, &kStarted, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  Supervisor(spec, program, child_events).run();
  remove_temporary(spec);
  return 0;
}

}  // namespace tensorpath::sandbox
