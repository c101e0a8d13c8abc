#include "worker_process.h"

#include "sanitizer_words.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>

#include <fmt/format.h>
#include <poll.h>
#include <seccomp.h>
#include <sys/socket.h>

namespace tensorpath {
namespace {

using worker::Reply;

// rdtsc is 0F 31, rdtscp 0F 01 F9.
bool reads_timer(const Reply& reply) {
  const std::uint8_t* at = reply.instruction;
  return at[0] == 0x0F && (at[1] == 0x31 || (at[1] == 0x01 && at[2] == 0xF9));
}

// Of what a program printed before it ended: the beginning, of a Python traceback the end.
std::string last_words(const std::string& text) {
  constexpr std::size_t kShown = 300;
  constexpr std::size_t kTraceback = 3000;
  if (text.find("Traceback (most recent call last)") == std::string::npos) {
    return text.substr(0, kShown);
  }
  return text.size() <= kTraceback ? text : text.substr(text.size() - kTraceback);
}

std::string system_call_name(int number) {
  char* name = ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
  std::string text = name == nullptr ? std::to_string(number) : name;
  ::free(name);
  return text;
}

// What a sanitizer found: those of the compiler say so on stderr, compute-sanitizer on stdout, and
// either by this exit code.
std::optional<std::string> sanitizer_report(const SandboxOutcome& outcome) {
  constexpr int kSanitizerExit = 99;
  const bool found = outcome.err.find("Sanitizer") != std::string::npos ||
                     outcome.err.find("runtime error") != std::string::npos;
  const bool by_code = outcome.end == SandboxEnd::kExited && outcome.exit_code == kSanitizerExit;
  if (!found && !by_code) return std::nullopt;
  return sanitizer_words(outcome.err.empty() ? outcome.out : outcome.err);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Expected<WorkerProcess> WorkerProcess::start(SandboxSpec spec, SandboxMode mode,
                                             int shared_memory) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail(ExitCode::kEnvironment,
                fmt::format("no socket for the worker: {}", std::strerror(errno)));
  }
  FileDescriptor ours(ends[0]);
  const FileDescriptor theirs(ends[1]);
  spec.fds = {{theirs.get(), worker::kSocket}, {shared_memory, worker::kArena}};
  auto process = SandboxedProcess::start(spec, mode);
  if (!process) return tl::unexpected(process.error());
  return WorkerProcess(std::move(*process), std::move(ours));
}

bool WorkerProcess::send(std::string_view message) {
  return ::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(message.size());
}

Reply WorkerProcess::receive(double seconds, Refusal& refusal, Wait wait) {
  const auto start = std::chrono::steady_clock::now();
  Reply reply{};
  while (true) {
    pollfd waited{socket_.get(), POLLIN, 0};
    const double left = seconds - seconds_since(start);
    const int timeout = wait == Wait::kSpin ? 0 : static_cast<int>(left * 1e3) + 1;
    const int ready = left <= 0 ? 0 : ::poll(&waited, 1, timeout);
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0 && left > 0 && wait == Wait::kSpin) continue;
    if (ready <= 0) {
      refusal = explain_end(seconds, true);
      return reply;
    }
    const ssize_t size = ::recv(socket_.get(), &reply, sizeof reply, MSG_TRUNC);
    if (size <= 0) {
      refusal = explain_end(seconds, false);
    } else if (size != static_cast<ssize_t>(sizeof reply) || reply.magic != worker::kMagic) {
      refusal = {Failure::kProtocol, fmt::format("a reply of {} bytes is malformed", size)};
    }
    return reply;
  }
}

Refusal WorkerProcess::explain_end(double seconds, bool timed_out) {
  if (timed_out) {
    const bool stopped = process_.frozen_or_stopped();
    (void)process_.kill_and_wait();
    if (stopped) return {Failure::kStopped, "it stopped the process it runs in"};
    return {Failure::kCallLimit, fmt::format("there was no result within {:.3g} s", seconds)};
  }
  // The socket closed: the process is gone or about to be.
  const SandboxOutcome outcome = process_.wait(5);
  switch (outcome.end) {
    case SandboxEnd::kMemoryLimit:
      return {Failure::kMemoryLimit, "the worker took more memory than the task allows"};
    case SandboxEnd::kOutputLimit:
      return {Failure::kOutputFlood, "the worker printed without end"};
    case SandboxEnd::kProcessLimit:
      return {Failure::kForbiddenCall, "it started processes without end"};
    case SandboxEnd::kSignalled:
      if (outcome.signal == SIGSYS) return {Failure::kForbiddenCall, "it made a system call"};
      return {Failure::kCrash, fmt::format("signal {} ended it", outcome.signal)};
    case SandboxEnd::kStartFailed:
      return {Failure::kProtocol, "the worker does not start: " + outcome.start_error};
    case SandboxEnd::kExited: {
      ended_cleanly_ = outcome.exit_code == 0;
      if (auto report = sanitizer_report(outcome); report) return {Failure::kSanitizer, *report};
      return {Failure::kEarlyExit,
              fmt::format("the process ended by itself with status {}{}{}", outcome.exit_code,
                          outcome.err.empty() ? "" : ": ", last_words(outcome.err))};
    }
    default:
      return {Failure::kCrash, to_string(outcome.end)};
  }
}

Refusal WorkerProcess::explain_reply(const Reply& reply,
                                     const std::function<std::string(std::uint64_t)>& place) {
  const std::string text(reply.text, ::strnlen(reply.text, sizeof reply.text));
  if (reply.status == Reply::Status::kLoad) {
    return {Failure::kMissingEntry, "the code object does not load: " + text};
  }
  if (reply.status == Reply::Status::kAbsent) return {Failure::kMissingEntry, text};
  if (reply.status == Reply::Status::kDevice) return {Failure::kDeviceFault, text};
  if (reply.status != Reply::Status::kFault) {
    return {Failure::kProtocol,
            "the worker does not understand the request" + (text.empty() ? "" : ": " + text)};
  }
  if (reply.signal == SIGSYS) {
    return {Failure::kForbiddenCall, "it made the system call " + system_call_name(reply.code)};
  }
  if (reply.signal == SIGSEGV && reads_timer(reply)) {
    return {Failure::kTimerAccess, "it read the processor's time stamp counter"};
  }
  if (place && reply.address != ~0ULL) {
    return {Failure::kOutOfBounds, "it touched " + place(reply.address)};
  }
  return {Failure::kCrash, fmt::format("signal {} ({})", reply.signal, ::strsignal(reply.signal))};
}

Expected<Refusal> WorkerProcess::wait_ready(double seconds) {
  Refusal refusal;
  const Reply reply = receive(seconds, refusal);
  if (refusal.failure != Failure::kNone) return refusal;
  if (reply.status == Reply::Status::kReady) return Refusal{};
  return explain_reply(reply);
}

Status WorkerProcess::must_be_ready(double seconds) {
  const auto ready = wait_ready(seconds);
  if (!ready) return tl::unexpected(ready.error());
  if (ready->failure == Failure::kNone) return {};
  return fail(ExitCode::kEnvironment,
              fmt::format("what was verified does not start: {}", ready->detail));
}

Refusal WorkerProcess::finish() {
  // Closing the socket ends the worker's loop.
  socket_ = FileDescriptor();
  const SandboxOutcome outcome = process_.wait(5);
  if (outcome.leftovers > 0) {
    return {Failure::kLeftover, fmt::format("{} processes were left behind", outcome.leftovers)};
  }
  if (!outcome.nothing_left) return {Failure::kLeftover, "it is not proved that nothing was left"};
  if (auto report = sanitizer_report(outcome); report) return {Failure::kSanitizer, *report};
  if (outcome.end == SandboxEnd::kOutputLimit) {
    return {Failure::kOutputFlood, "the worker printed without end"};
  }
  return {};
}

}  // namespace tensorpath
