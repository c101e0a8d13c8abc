#include "host_session.h"

#include "vendor_library.h"
#include "worker_link.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/harness/toolchain.h>

namespace tensorpath {
namespace {

// Room for the runtime's own threads beside the pool's.
constexpr int kMoreProcesses = 8;
constexpr double kReadySeconds = 30;

int threads_of(const VerifyOptions& options) {
  if (options.threads > 0) return options.threads;
  return std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 1, 4);
}

class HostSession : public Session {
 public:
  HostSession(WorkerLink link, Defences defences, SandboxSpec spec, SandboxMode mode)
      : link_(std::move(link)), defences_(defences), spec_(std::move(spec)), mode_(mode) {}

  [[nodiscard]] Expected<CallResult> call(const CallSpec& spec) override {
    worker::RequestHeader header{};
    header.schedule = spec.schedule;
    if (over_) {
      if (const Status started = start_again(); !started) return tl::unexpected(started.error());
    }
    auto result = link_->call(spec, defences_, header, host_call_words(spec), {}, {});
    over_ = result && result->over;
    return result;
  }
  [[nodiscard]] Refusal finish() override { return link_->finish(); }
  [[nodiscard]] SandboxLevel level() const override { return link_->process().level(); }
  [[nodiscard]] std::string level_reason() const override {
    return link_->process().level_reason();
  }

 private:
  Status start_again() {
    auto link = WorkerLink::start(spec_, mode_);
    if (!link) return tl::unexpected(link.error());
    link_.emplace(std::move(*link));
    const auto ready = link_->wait_ready(kReadySeconds);
    return ready ? Status{} : Status(tl::unexpected(ready.error()));
  }

  std::optional<WorkerLink> link_;
  Defences defences_;
  SandboxSpec spec_;
  SandboxMode mode_;
  bool over_ = false;
};

// A session that never came to life: every call tells why.
class DeadSession : public Session {
 public:
  DeadSession(Refusal refusal, SandboxLevel level, std::string reason)
      : refusal_(std::move(refusal)), level_(level), reason_(std::move(reason)) {}
  [[nodiscard]] Expected<CallResult> call(const CallSpec& /*spec*/) override {
    return CallResult{refusal_, {}, false};
  }
  [[nodiscard]] Refusal finish() override { return refusal_; }
  [[nodiscard]] SandboxLevel level() const override { return level_; }
  [[nodiscard]] std::string level_reason() const override { return reason_; }

 private:
  Refusal refusal_;
  SandboxLevel level_;
  std::string reason_;
};

// The sanitizer's runtime must be the first library of the process, and wants more of the system.
Status let_sanitizer_watch(SandboxSpec& spec, Build build) {
  const std::string runtime =
      sanitizer_runtime(build == Build::kAddress ? "libasan.so" : "libtsan.so");
  if (runtime.empty()) {
    return fail(ExitCode::kEnvironment, "the compiler's sanitizers are not installed",
                "install libasan and libtsan of its version");
  }
  for (const char* option : {"--any-system-call", "--timers", "--copies"}) {
    spec.argv.emplace_back(option);
  }
  spec.environment.push_back("LD_PRELOAD=" + runtime);
  spec.environment.emplace_back(
      "ASAN_OPTIONS=detect_leaks=0:exitcode=99:abort_on_error=0:handle_abort=1");
  spec.environment.emplace_back("UBSAN_OPTIONS=print_stacktrace=1");
  spec.environment.emplace_back("TSAN_OPTIONS=exitcode=99:halt_on_error=1:report_signal_unsafe=0");
  spec.fixed_addresses = build == Build::kThread;
  spec.need_proc = true;
  return {};
}

}  // namespace

std::vector<worker::Word> host_call_words(const CallSpec& spec) {
  using Kind = worker::Word::Kind;
  std::vector<worker::Word> words;
  std::uint64_t workspace = 0;
  bool has_workspace = false;
  for (std::size_t i = 0; i < spec.buffers.size(); ++i) {
    if (spec.buffers[i].role == CallBuffer::Role::kWorkspace) {
      workspace = i;
      has_workspace = true;
    } else {
      words.push_back({Kind::kBuffer, 0, i});
    }
  }
  words.push_back({has_workspace ? Kind::kBuffer : Kind::kInt64, 0, workspace});
  const auto integer = [&](const std::string& name) {
    const auto found = spec.symbols.find(name);
    words.push_back({Kind::kInt64, 0,
                     static_cast<std::uint64_t>(found == spec.symbols.end() ? 0 : found->second)});
  };
  for (const std::string& dim : spec.dims) integer(dim);
  for (const std::string& stride : spec.strides) integer(stride);
  for (const auto& [name, value] : spec.attributes) {
    words.push_back({Kind::kDouble, 0, std::bit_cast<std::uint64_t>(value)});
  }
  return words;
}

SandboxSpec host_worker_spec(const Subject& subject, const Built& built, int threads) {
  SandboxSpec spec;
  spec.argv = {subject.options.worker, "--device", "host", "--code", built.path, "--threads",
               std::to_string(threads)};
  spec.environment = {"LC_ALL=C"};
  const std::vector<std::string>& links = subject.candidate.links;
  if (!subject.defences.system_calls || !links.empty()) spec.argv.emplace_back("--any-system-call");
  if (!subject.defences.timer_trap || !links.empty()) spec.argv.emplace_back("--timers");
  if (!links.empty()) spec.argv.emplace_back("--linked");
  for (std::string& variable : link_environment(links, threads, host_level())) {
    spec.environment.push_back(std::move(variable));
  }
  spec.view = toolchain_view();
  spec.view.push_back({subject.options.worker, {}, false, false});
  spec.view.push_back({built.path, {}, false, false});
  spec.limits.wall_s = 3600;
  // A library may have a thread beside each of the pool's.
  spec.limits.processes = (links.empty() ? threads : 2 * threads) + kMoreProcesses;
  spec.limits.file_bytes = 1U << 20;
  spec.limits.output_bytes = 64U << 10;
  return spec;
}

Expected<std::unique_ptr<Session>> start_host_session(const Subject& subject, const Built& built,
                                                      Build build) {
  SandboxSpec spec = host_worker_spec(subject, built, threads_of(subject.options));
  if (build != Build::kPlain) {
    if (Status watched = let_sanitizer_watch(spec, build); !watched) {
      return tl::unexpected(watched.error());
    }
  } else if (subject.defences.memory_limit) {
    spec.limits.resident_bytes = subject.task.limits.memory_bytes;
  }
  auto link = WorkerLink::start(spec, subject.options.sandbox);
  if (!link) return tl::unexpected(link.error());
  const auto ready = link->wait_ready(kReadySeconds);
  if (!ready) return tl::unexpected(ready.error());
  if (ready->failure != Failure::kNone) {
    return std::make_unique<DeadSession>(*ready, link->process().level(),
                                         link->process().level_reason());
  }
  return std::make_unique<HostSession>(std::move(*link), subject.defences, spec,
                                       subject.options.sandbox);
}

}  // namespace tensorpath
