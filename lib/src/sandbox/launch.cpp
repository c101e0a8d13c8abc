#include "launch.h"

#include "spawn.h"

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tensorpath::sandbox {
namespace {

bool may_change_user() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  constexpr std::uint32_t kNeeded = 1U << CAP_SETUID | 1U << CAP_SETGID;
  return (data[0].effective & kNeeded) == kNeeded;
}

bool is_namespaces(Isolation isolation) { return isolation >= Isolation::kUserNamespace; }

// One way to isolate, with what this machine and this spec make of it.
struct Attempt {
  Isolation isolation = Isolation::kLimits;
  Settings settings{};
  Filter filter;
  std::string who;
};

std::string who_runs(const Settings& settings) {
  if (settings.run_as_uid != kKeepUser) return fmt::format("runs as user {}", settings.run_as_uid);
  if (::geteuid() != 0) return fmt::format("runs as user {}", ::geteuid());
  return "runs as root without capabilities (the view is not open to an unprivileged user)";
}

Settings decide(const SandboxSpec& spec, Isolation isolation, const Machine& machine, bool probe) {
  const SandboxLimits& limits = spec.limits;
  Settings out{};
  out.isolation = isolation;
  out.run_as_uid = kKeepUser;
  const bool root = ::geteuid() == 0;
  if (root && may_change_user() && open_to_unprivileged(spec, !is_namespaces(isolation))) {
    out.run_as_uid = kUnprivileged;
  }
  out.fixed_addresses = spec.fixed_addresses ? 1 : 0;
  out.need_proc = !spec.need_proc ? kNoProc : spec.own_proc ? kOwnProc : kReadProc;
  out.tmp = spec.tmp ? 1 : 0;
  out.probe = probe ? 1 : 0;
  // The kernel's own limit on processes does not hold for root, nor does it count one sandbox alone
  // outside of namespaces.
  const bool root_stays = root && out.run_as_uid == kKeepUser;
  out.sample =
      limits.resident_bytes != 0 || limits.cpu_s > 0 || root_stays || !is_namespaces(isolation) ? 1
                                                                                                : 0;
  if (isolation == Isolation::kLandlock) {
    out.landlock_abi = std::min(landlock_abi(), machine.landlock_abi);
  }
  out.processes = limits.processes;
  out.open_files = limits.open_files;
  out.pid_placeholder_at = -1;
  out.address_space_bytes = limits.address_space_bytes;
  out.resident_bytes = limits.resident_bytes;
  out.file_bytes = limits.file_bytes;
  out.tmp_bytes = limits.tmp_bytes;
  out.wall_s = limits.wall_s;
  out.cpu_s = limits.cpu_s;
  return out;
}

Expected<Attempt> prepare(const SandboxSpec& spec, Isolation isolation, const Machine& machine,
                          bool probe) {
  Attempt attempt;
  attempt.isolation = isolation;
  attempt.settings = decide(spec, isolation, machine, probe);
  if (machine.seccomp && seccomp_available()) {
    FilterRules rules;
    rules.memfd = spec.memfd;
    rules.own_pids = is_namespaces(isolation);
    // From ABI 6 on Landlock keeps signals inside.
    rules.foreign_signals = rules.own_pids || attempt.settings.landlock_abi >= 6;
    auto filter = make_filter(rules);
    if (!filter) return tl::unexpected(filter.error());
    attempt.filter = std::move(*filter);
    attempt.settings.pid_placeholder_at = attempt.filter.pid_at;
  }
  attempt.who = who_runs(attempt.settings);
  return attempt;
}

// Why this way is out of the question before it is tried; empty when it is not.
std::string ruled_out(const SandboxSpec& spec, const Attempt& attempt) {
  if (is_namespaces(attempt.isolation)) return {};
  for (const ViewEntry& entry : spec.view) {
    if (!entry.target.empty() && entry.target != entry.source) {
      return fmt::format("a view that shows {} as {} needs namespaces", quote_input(entry.source),
                         quote_input(entry.target));
    }
  }
  if (attempt.isolation != Isolation::kLandlock) return {};
  if (attempt.settings.landlock_abi < 1) return "Landlock is not there";
  if (attempt.filter.instructions.empty()) return "seccomp is not there";
  return {};
}

SandboxLevel level_of(Isolation isolation) {
  if (is_namespaces(isolation)) return SandboxLevel::kNamespaces;
  return isolation == Isolation::kLandlock ? SandboxLevel::kLandlock : SandboxLevel::kLimits;
}

std::string reached(const Attempt& attempt, const Report& report) {
  const bool filtered = !attempt.filter.instructions.empty();
  std::string text;
  if (is_namespaces(attempt.isolation)) {
    text = fmt::format("{}mount, pid, net, ipc and uts namespaces{}",
                       (report.notes & kNoteOwnUserNamespace) != 0 ||
                               attempt.isolation == Isolation::kUserNamespace
                           ? "user, "
                           : "",
                       filtered ? " and a seccomp filter" : ", no seccomp filter");
    if ((report.notes & kNoteNoSampling) != 0) text += "; processes cannot be sampled";
  } else if (attempt.isolation == Isolation::kLandlock) {
    text = fmt::format("Landlock (ABI {}) and a seccomp filter", attempt.settings.landlock_abi);
  } else {
    text = fmt::format("resource limits{} only: the file system is open",
                       filtered ? " and a seccomp filter" : "");
  }
  return text + "; " + attempt.who;
}

// Until the program runs, or the init has gone because it cannot.
bool await_start(const Spawned& spawned) {
  pollfd items[] = {{spawned.control, POLLIN, 0}, {spawned.pidfd, POLLIN, 0}};
  while (::poll(items, 2, -1) < 0 && errno == EINTR) {
  }
  char message = 0;
  return ::recv(spawned.control, &message, 1, MSG_DONTWAIT) == 1 && message == kStarted;
}

void reap(int pidfd) {
  siginfo_t info{};
  while (::waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(pidfd), &info,
                  WEXITED | __WALL) != 0 &&
         errno == EINTR) {
  }
}

struct Tried {
  std::unique_ptr<Started> started;
  StartFailure failure = StartFailure::kRefused;
  std::string text;
};

Expected<Tried> try_start(const SandboxSpec& spec, const Attempt& attempt) {
  Tried tried;
  auto encoded = encode_spec(spec, attempt.settings, attempt.filter);
  if (!encoded) return tl::unexpected(encoded.error());
  const Spawned spawned = spawn_init(spec, *encoded);
  if (spawned.pid < 0) {
    tried.text = spawned.failure;
    return tried;
  }
  if (await_start(spawned)) {
    auto started = std::make_unique<Started>();
    started->memory = std::move(encoded->memory);
    started->control = spawned.control;
    started->pidfd = spawned.pidfd;
    started->pid = spawned.pid;
    started->level = level_of(attempt.isolation);
    started->level_reason = reached(attempt, started->memory.shared().report);
    tried.started = std::move(started);
    return tried;
  }
  reap(spawned.pidfd);
  ::close(spawned.pidfd);
  ::close(spawned.control);
  const Report& report = encoded->memory.shared().report;
  if (report.failure != StartFailure::kNone) tried.failure = report.failure;
  tried.text = report.failure == StartFailure::kNone ? "the sandbox's init ended early"
                                                     : std::string(report.text);
  return tried;
}

std::vector<Isolation> ways(SandboxMode mode, const Machine& machine) {
  std::vector<Isolation> out;
  if (machine.root_namespaces && ::geteuid() == 0) out.push_back(Isolation::kRootNamespace);
  if (machine.user_namespaces) out.push_back(Isolation::kUserNamespace);
  if (mode == SandboxMode::kStrict) return out;
  out.push_back(Isolation::kLandlock);
  out.push_back(Isolation::kLimits);
  return out;
}

void note(std::string& reasons, const std::string& reason) {
  if (reasons.find(reason) != std::string::npos) return;
  if (!reasons.empty()) reasons += "; ";
  reasons += reason;
}

}  // namespace

Started::~Started() {
  if (control >= 0) ::close(control);
  if (pidfd >= 0) ::close(pidfd);
}

int landlock_abi() {
  constexpr unsigned kVersion = 1;  // LANDLOCK_CREATE_RULESET_VERSION
  return std::max(0,
                  static_cast<int>(::syscall(SYS_landlock_create_ruleset, nullptr, 0, kVersion)));
}

Expected<StartResult> start_sandbox(const SandboxSpec& spec, SandboxMode mode,
                                    const Machine& machine, bool probe) {
  if (Status ok = check_spec(spec); !ok) return tl::unexpected(ok.error());
  std::string refused;
  for (const Isolation isolation : ways(mode, machine)) {
    auto attempt = prepare(spec, isolation, machine, probe);
    if (!attempt) return tl::unexpected(attempt.error());
    if (const std::string reason = ruled_out(spec, *attempt); !reason.empty()) {
      note(refused, reason);
      continue;
    }
    auto tried = try_start(spec, *attempt);
    if (!tried) return tl::unexpected(tried.error());
    if (tried->started != nullptr) {
      if (!refused.empty()) tried->started->level_reason += " (" + refused + ")";
      return StartResult{std::move(tried->started), {}, level_of(isolation)};
    }
    if (tried->failure == StartFailure::kBroken) {
      return StartResult{nullptr, tried->text, level_of(isolation)};
    }
    note(refused, tried->text);
  }
  if (refused.empty()) refused = "namespaces are not there";
  return fail(
      ExitCode::kEnvironment,
      fmt::format("{} sandbox is not possible here: {}",
                  mode == SandboxMode::kStrict ? "a strict" : "a", refused),
      mode == SandboxMode::kStrict
          ? "allow user namespaces (sysctl user.max_user_namespaces, "
            "kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns), "
            "or accept less with --sandbox best-effort"
          : "");
}

}  // namespace tensorpath::sandbox
