#include "worker_link.h"

#include "sanitizer_words.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <poll.h>
#include <seccomp.h>
#include <sys/socket.h>

#include <tensorpath/base/random.h>

namespace tensorpath {
namespace {

using worker::Reply;

template <typename Entry>
void append(std::string& message, const std::vector<Entry>& entries) {
  if (entries.empty()) return;
  message.append(reinterpret_cast<const char*>(entries.data()), entries.size() * sizeof(Entry));
}

// rdtsc is 0F 31, rdtscp 0F 01 F9.
bool reads_timer(const Reply& reply) {
  const std::uint8_t* at = reply.instruction;
  return at[0] == 0x0F && (at[1] == 0x31 || (at[1] == 0x01 && at[2] == 0xF9));
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

Expected<WorkerLink> WorkerLink::start(SandboxSpec spec, SandboxMode mode, std::uint64_t step) {
  auto arena = Arena::make(step);
  if (!arena) return tl::unexpected(arena.error());
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail(ExitCode::kEnvironment,
                fmt::format("no socket for the worker: {}", std::strerror(errno)));
  }
  FileDescriptor ours(ends[0]);
  const FileDescriptor theirs(ends[1]);
  spec.fds = {{theirs.get(), worker::kSocket}, {arena->descriptor(), worker::kArena}};
  auto process = SandboxedProcess::start(spec, mode);
  if (!process) return tl::unexpected(process.error());
  return WorkerLink(std::move(*process), std::move(ours), std::move(*arena));
}

Expected<Reply> WorkerLink::receive(double seconds, Refusal& refusal) {
  const auto start = std::chrono::steady_clock::now();
  Reply reply{};
  while (true) {
    pollfd waited{socket_.get(), POLLIN, 0};
    const double left = seconds - seconds_since(start);
    const int ready = left <= 0 ? 0 : ::poll(&waited, 1, static_cast<int>(left * 1e3) + 1);
    if (ready < 0 && errno == EINTR) continue;
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

Refusal WorkerLink::explain_end(double seconds, bool timed_out) {
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
                          outcome.err.empty() ? "" : ": ", outcome.err.substr(0, 300))};
    }
    default:
      return {Failure::kCrash, to_string(outcome.end)};
  }
}

Refusal WorkerLink::explain_reply(const Reply& reply, const CallSpec* spec) {
  const std::string text(reply.text, ::strnlen(reply.text, sizeof reply.text));
  if (reply.status == Reply::Status::kLoad) {
    return {Failure::kMissingEntry, "the code object does not load: " + text};
  }
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
  const bool placed = spec != nullptr && reply.address != ~0ULL;
  if (placed) return {Failure::kOutOfBounds, "it touched " + arena_.nearest(*spec, reply.address)};
  return {Failure::kCrash, fmt::format("signal {} ({})", reply.signal, ::strsignal(reply.signal))};
}

Expected<Refusal> WorkerLink::wait_ready(double seconds) {
  Refusal refusal;
  const auto reply = receive(seconds, refusal);
  if (!reply) return tl::unexpected(reply.error());
  if (refusal.failure != Failure::kNone) return refusal;
  if (reply->status == Reply::Status::kReady) return Refusal{};
  return explain_reply(*reply, nullptr);
}

Expected<CallResult> WorkerLink::call(const CallSpec& spec, const Defences& defences,
                                      worker::RequestHeader header,
                                      const std::vector<worker::Word>& words,
                                      const std::vector<worker::Launch>& launches,
                                      const std::vector<worker::TensorMap>& maps) {
  const auto buffers = arena_.place(spec, defences);
  if (!buffers) return tl::unexpected(buffers.error());
  const auto key = random_key();
  if (!key) return tl::unexpected(key.error());
  std::memcpy(&nonce_, key->data(), sizeof nonce_);
  header.magic = worker::kMagic;
  header.nonce = nonce_;
  header.buffers = static_cast<std::uint32_t>(buffers->size());
  header.words = static_cast<std::uint32_t>(words.size());
  header.launches = static_cast<std::uint32_t>(launches.size());
  header.maps = static_cast<std::uint32_t>(maps.size());
  std::string message(reinterpret_cast<const char*>(&header), sizeof header);
  append(message, *buffers);
  append(message, words);
  append(message, launches);
  append(message, maps);
  CallResult result;
  if (::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(message.size())) {
    result.refusal = explain_end(spec.limit_s, false);
    return result;
  }
  const double limit = defences.call_limit ? spec.limit_s : 120;
  const auto reply = receive(limit, result.refusal);
  if (!reply) return tl::unexpected(reply.error());
  if (!defences.replies &&
      (ended_cleanly_ || (result.refusal.failure == Failure::kNone && reply->nonce != nonce_))) {
    // What it would be to believe a worker.
    result.refusal = arena_.check(spec, defences);
    result.outputs = arena_.outputs(spec);
    result.over = true;
    return result;
  }
  if (result.refusal.failure != Failure::kNone) return result;
  if (reply->status != Reply::Status::kDone) {
    result.refusal = explain_reply(*reply, &spec);
    return result;
  }
  if (reply->nonce != nonce_) {
    result.refusal = {Failure::kProtocol, "a reply belongs to no request of this call"};
    return result;
  }
  nanoseconds_ = reply->nanoseconds;
  // Off: as late as a busy harness may come to look.
  if (!defences.freeze) std::this_thread::sleep_for(std::chrono::milliseconds(80));
  if (defences.freeze && !process_.freeze()) {
    result.refusal = explain_end(limit, false);
    return result;
  }
  result.refusal = arena_.check(spec, defences);
  result.outputs = arena_.outputs(spec);
  if (defences.freeze && !process_.thaw()) result.refusal = explain_end(limit, false);
  return result;
}

Refusal WorkerLink::finish() {
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
