#include "harness/torch_worker.h"
#include "measurement.h"

#include <algorithm>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/forge/bench_run.h>
#include <tensorpath/forge/create_run.h>

namespace tensorpath::forge {
namespace {

Expected<int> attempt_to_time(const LedgerHistory& history, int wanted) {
  const int last = wanted > 0 ? wanted : history.attempts();
  for (int attempt = last; attempt >= 1; --attempt) {
    const auto state = history.state_of(attempt);
    if (!state) return tl::unexpected(state.error());
    if (holds_verdict(state->state) && may_follow(state->state, LedgerEvent::kBenched)) {
      return attempt;
    }
    if (wanted > 0) {
      return fail(ExitCode::kUsage, fmt::format("{}: it cannot be timed", state_sentence(*state)),
                  "what passed every gate and was not promoted can");
    }
  }
  return fail(ExitCode::kUsage, "this run has no attempt that passed every gate and waits for more",
              "tensorpath forge verify comes first");
}

// Those of the host are naive, tuned; those of a GPU cuda-naive, cuda-tuned, and torch for all that
// is reached through PyTorch.
std::string baseline_place(const KernelTask& task, const std::string& name) {
  if (task.device == DeviceKind::kCuda && is_library_arm(name)) return "torch";
  return task.device == DeviceKind::kHost ? name : fmt::format("{}-{}", name_of(task.device), name);
}

std::string directory_of(const KernelTask& task, const std::string& name,
                         const std::vector<std::string>& roots) {
  for (const std::string& root : roots) {
    std::string path = path_join(path_join(root, task.op->name), baseline_place(task, name));
    if (directory_exists(path)) return path;
  }
  return {};
}

}  // namespace

std::vector<BaselineSource> find_baselines(const KernelTask& task,
                                           const std::vector<std::string>& directories) {
  std::vector<BaselineSource> found;
  for (const auto& [device, names] : task.op->baselines) {
    if (device != name_of(task.device)) continue;
    for (const std::string& name : names) {
      BaselineSource source{name, directory_of(task, name, directories), {}};
      if (source.directory.empty()) source.absent = "it is not installed";
      found.push_back(std::move(source));
    }
  }
  if (task.device != DeviceKind::kCuda) return found;
  for (const std::string& name : pytorch_arms()) {
    BaselineSource source{name, directory_of(task, name, directories), {}};
    const bool named = std::any_of(found.begin(), found.end(),
                                   [&](const BaselineSource& one) { return one.name == name; });
    if (!named && !source.directory.empty()) found.push_back(std::move(source));
  }
  return found;
}

Expected<BenchedAttempt> bench_run(const RunDirectory& run, const Operators& operators, int attempt,
                                   const std::vector<std::string>& baselines,
                                   BenchOptions options) {
  const auto lock = run.lock("bench");
  if (!lock) return tl::unexpected(lock.error());
  auto ledger = run.open_ledger();
  if (!ledger) return tl::unexpected(ledger.error());
  const auto task = task_of(run, operators);
  if (!task) return tl::unexpected(task.error());
  const auto chosen = attempt_to_time(ledger->history(), attempt);
  if (!chosen) return tl::unexpected(chosen.error());
  const auto sources = find_baselines(*task, baselines);
  const auto timed = [&](const std::string& candidate, const BenchOptions& with) {
    return bench(*task, candidate, sources, with);
  };
  auto measured = measure(run, *ledger, *chosen, "bench", timed, std::move(options));
  if (!measured) return tl::unexpected(measured.error());
  const auto after = ledger->history().state_of(*chosen);
  if (!after) return tl::unexpected(after.error());
  return BenchedAttempt{*chosen, state_sentence(*after), std::move(measured->directory),
                        std::move(measured->report)};
}

}  // namespace tensorpath::forge
