#include "launch.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <fstream>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tensorpath/base/descriptor.h>
#include <tensorpath/sandbox.h>

namespace tensorpath {
namespace {

using sandbox::Machine;
using sandbox::Report;
using sandbox::Started;
using sandbox::WireEnd;

// The init ends everything at its limits by itself; past this it is taken for lost.
constexpr double kGrace_s = 15;

// True once the descriptor is readable.
bool await(int fd, double seconds) {
  using Clock = std::chrono::steady_clock;
  const auto until = Clock::now() + std::chrono::duration<double>(seconds);
  while (true) {
    const double left_s = std::chrono::duration<double>(until - Clock::now()).count();
    // In slices that fit poll's int.
    const int timeout_ms = left_s <= 0 ? 0 : static_cast<int>(std::min(left_s * 1e3 + 1, 1e9));
    pollfd item{fd, POLLIN, 0};
    const int ready = ::poll(&item, 1, timeout_ms);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
    if (ready == 0 && left_s <= 0) return false;
  }
}

SandboxEnd end_of(WireEnd end) {
  switch (end) {
    case WireEnd::kExited:
      return SandboxEnd::kExited;
    case WireEnd::kSignalled:
      return SandboxEnd::kSignalled;
    case WireEnd::kWallLimit:
      return SandboxEnd::kWallLimit;
    case WireEnd::kCpuLimit:
      return SandboxEnd::kCpuLimit;
    case WireEnd::kMemoryLimit:
      return SandboxEnd::kMemoryLimit;
    case WireEnd::kProcessLimit:
      return SandboxEnd::kProcessLimit;
    case WireEnd::kOutputLimit:
      return SandboxEnd::kOutputLimit;
    case WireEnd::kKilled:
    case WireEnd::kNone:
      break;
  }
  return SandboxEnd::kKilled;
}

SandboxOutcome outcome_of(const Started& started) {
  const sandbox::Shared& shared = started.memory.shared();
  const Report& report = shared.report;
  SandboxOutcome out;
  out.end = end_of(report.end);
  out.exit_code = report.exit_code;
  out.signal = report.signal;
  out.out.assign(started.memory.bytes() + shared.out_at, report.out_size);
  out.err.assign(started.memory.bytes() + shared.err_at, report.err_size);
  out.output_cut = report.output_cut != 0;
  out.wall_s = report.wall_s;
  out.cpu_s = report.cpu_s;
  out.peak_bytes = report.peak_bytes;
  out.leftovers = report.leftovers;
  // A pid namespace is empty once its first process has been waited for; that is the kernel's word.
  out.nothing_left = report.nothing_left != 0 || started.level == SandboxLevel::kNamespaces;
  out.level = started.level;
  out.level_reason = started.level_reason;
  return out;
}

}  // namespace

const char* to_string(SandboxLevel level) {
  switch (level) {
    case SandboxLevel::kLimits:
      return "limits";
    case SandboxLevel::kLandlock:
      return "landlock";
    case SandboxLevel::kNamespaces:
      return "namespaces";
  }
  return "?";
}

const char* to_string(SandboxEnd end) {
  switch (end) {
    case SandboxEnd::kExited:
      return "exited";
    case SandboxEnd::kSignalled:
      return "ended by a signal";
    case SandboxEnd::kWallLimit:
      return "time limit";
    case SandboxEnd::kCpuLimit:
      return "CPU time limit";
    case SandboxEnd::kMemoryLimit:
      return "memory limit";
    case SandboxEnd::kProcessLimit:
      return "process limit";
    case SandboxEnd::kOutputLimit:
      return "output limit";
    case SandboxEnd::kKilled:
      return "killed";
    case SandboxEnd::kStartFailed:
      return "could not be started";
  }
  return "?";
}

struct SandboxedProcess::State {
  std::unique_ptr<Started> started;
  bool over = false;  // waited for
  SandboxOutcome outcome;
  FileDescriptor program;  // a pidfd, opened when it is first asked for
  int program_pid = 0;

  void find_program();
  [[nodiscard]] bool signal_program(int signal);
  // One message, one answer. False also when the sandbox has ended.
  [[nodiscard]] bool ask(char message);
  void finish(double patience_s);
};

bool SandboxedProcess::State::ask(char message) {
  if (over || ::send(started->control, &message, 1, MSG_NOSIGNAL) != 1) return false;
  pollfd items[] = {{started->control, POLLIN, 0}, {started->pidfd, POLLIN, 0}};
  while (::poll(items, 2, -1) < 0 && errno == EINTR) {
  }
  char reply = sandbox::kNo;
  return ::recv(started->control, &reply, 1, MSG_DONTWAIT) == 1 && reply == sandbox::kYes;
}

// Waits for the init, which is about to go.
void SandboxedProcess::State::finish(double patience_s) {
  if (over) return;
  if (!await(started->pidfd, patience_s)) {
    (void)::syscall(SYS_pidfd_send_signal, started->pidfd, SIGKILL, nullptr, 0);
    (void)await(started->pidfd, kGrace_s);
  }
  siginfo_t info{};
  (void)::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(started->pidfd), &info,
                 WEXITED | WNOHANG | __WALL);
  outcome = outcome_of(*started);
  over = true;
}

SandboxedProcess::SandboxedProcess(std::unique_ptr<State> state) : state_(std::move(state)) {}
SandboxedProcess::SandboxedProcess(SandboxedProcess&& other) noexcept = default;

SandboxedProcess& SandboxedProcess::operator=(SandboxedProcess&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

SandboxedProcess::~SandboxedProcess() {
  if (state_ != nullptr) (void)kill_and_wait();
}

Expected<SandboxedProcess> SandboxedProcess::start(const SandboxSpec& spec, SandboxMode mode) {
  return SandboxLaunch::start(spec, mode, Machine{});
}

bool SandboxedProcess::freeze() { return state_->ask(sandbox::kAskFreeze); }
bool SandboxedProcess::thaw() { return state_->ask(sandbox::kAskThaw); }
bool SandboxedProcess::frozen_or_stopped() { return state_->ask(sandbox::kAskStopped); }
bool SandboxedProcess::alive() const { return !state_->over && !await(state_->started->pidfd, 0); }

// The init has one child, which does not change. Once its descriptor is open, the number is asked
// for again: the descriptor is the program's if the number still is.
void SandboxedProcess::State::find_program() {
  if (program.valid() || over) return;
  const std::string children = fmt::format("/proc/{0}/task/{0}/children", started->pid);
  int before = 0;
  int after = 0;
  if (!(std::ifstream(children) >> before)) return;
  FileDescriptor opened(static_cast<int>(::syscall(SYS_pidfd_open, before, 0)));
  if (!opened.valid() || !(std::ifstream(children) >> after) || before != after) return;
  program = std::move(opened);
  program_pid = before;
}

bool SandboxedProcess::State::signal_program(int signal) {
  find_program();
  return program.valid() &&
         ::syscall(SYS_pidfd_send_signal, program.get(), signal, nullptr, 0) == 0;
}

bool SandboxedProcess::stop_now() { return state_->signal_program(SIGSTOP); }
bool SandboxedProcess::continue_now() { return state_->signal_program(SIGCONT); }

int SandboxedProcess::program_pid() {
  state_->find_program();
  return state_->program_pid;
}

int SandboxedProcess::pidfd() const { return state_->started->pidfd; }
SandboxLevel SandboxedProcess::level() const { return state_->started->level; }
const std::string& SandboxedProcess::level_reason() const { return state_->started->level_reason; }

SandboxOutcome SandboxedProcess::kill_and_wait() {
  if (!state_->over) {
    (void)::send(state_->started->control, &sandbox::kAskKill, 1, MSG_NOSIGNAL);
    state_->finish(kGrace_s);
  }
  return state_->outcome;
}

SandboxOutcome SandboxedProcess::wait(double seconds) {
  if (state_->over || await(state_->started->pidfd, seconds)) {
    state_->finish(kGrace_s);
    return state_->outcome;
  }
  SandboxOutcome& outcome = state_->outcome;
  outcome = kill_and_wait();
  // It may have ended by itself in the meantime.
  if (outcome.end == SandboxEnd::kKilled) outcome.end = SandboxEnd::kWallLimit;
  return outcome;
}

Expected<SandboxedProcess> SandboxLaunch::start(const SandboxSpec& spec, SandboxMode mode,
                                                const Machine& machine) {
  auto result = sandbox::start_sandbox(spec, mode, machine);
  if (!result) return tl::unexpected(result.error());
  if (result->started == nullptr) {
    return fail(ExitCode::kEnvironment,
                fmt::format("cannot start {} in a sandbox: {}", quote_input(spec.argv.front()),
                            result->start_error));
  }
  auto state = std::make_unique<SandboxedProcess::State>();
  state->started = std::move(result->started);
  return SandboxedProcess(std::move(state));
}

Expected<SandboxOutcome> SandboxLaunch::run(const SandboxSpec& spec, SandboxMode mode,
                                            const Machine& machine) {
  auto result = sandbox::start_sandbox(spec, mode, machine);
  if (!result) return tl::unexpected(result.error());
  if (result->started == nullptr) {
    SandboxOutcome out;
    out.start_error = result->start_error;
    out.nothing_left = true;
    out.level = result->level;
    return out;
  }
  auto state = std::make_unique<SandboxedProcess::State>();
  state->started = std::move(result->started);
  SandboxedProcess process(std::move(state));
  const double wall_s = spec.limits.wall_s;
  return process.wait(wall_s > 0 ? wall_s + kGrace_s : 1e15);
}

Expected<SandboxOutcome> run_sandboxed(const SandboxSpec& spec, SandboxMode mode) {
  return SandboxLaunch::run(spec, mode, Machine{});
}

}  // namespace tensorpath
