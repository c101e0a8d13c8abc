#include <filesystem>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/forge/bench_run.h>

namespace tensorpath::forge {
namespace {

constexpr std::string_view kBuild = "build";

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

// The first directory bench-1, bench-2, ... that is not there yet.
std::string next_bench(const std::string& attempt) {
  for (int i = 1;; ++i) {
    std::string path = path_join(attempt, fmt::format("bench-{}", i));
    if (!directory_exists(path)) return path;
  }
}

// Those of the host are naive, tuned; those of a GPU cuda-naive, cuda-tuned.
std::string baseline_place(const KernelTask& task, const std::string& name) {
  return task.device == DeviceKind::kHost ? name : fmt::format("{}-{}", name_of(task.device), name);
}

Status keep(const std::string& directory, const BenchReport& report, const std::string& samples) {
  if (Status made = make_directories(directory); !made) return made;
  if (Status written = write_file_atomic(path_join(directory, "samples.bin"), samples); !written) {
    return written;
  }
  return write_file_atomic(path_join(directory, "bench.json"), to_text(report.to_json()));
}

}  // namespace

std::vector<BaselineSource> find_baselines(const KernelTask& task,
                                           const std::vector<std::string>& directories) {
  std::vector<BaselineSource> found;
  for (const auto& [device, names] : task.op->baselines) {
    if (device != name_of(task.device)) continue;
    for (const std::string& name : names) {
      BaselineSource source{name, {}, {}};
      for (const std::string& root : directories) {
        const std::string path =
            path_join(path_join(root, task.op->name), baseline_place(task, name));
        if (source.directory.empty() && directory_exists(path)) source.directory = path;
      }
      if (source.directory.empty()) source.absent = "it is not installed";
      found.push_back(std::move(source));
    }
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
  const auto text = read_file(run.task_path());
  if (!text) return tl::unexpected(text.error());
  const auto task = read_task(*text, run.task_path(), operators);
  if (!task) return tl::unexpected(task.error());
  const auto chosen = attempt_to_time(ledger->history(), attempt);
  if (!chosen) return tl::unexpected(chosen.error());
  const auto state = ledger->history().state_of(*chosen);
  if (!state) return tl::unexpected(state.error());

  const std::string directory = run.attempt_path(*chosen);
  options.scratch = path_join(directory, kBuild);
  const std::string candidate = path_join(directory, "candidate");
  auto report = bench(*task, candidate, find_baselines(*task, baselines), options);
  std::error_code ignored;
  std::filesystem::remove_all(options.scratch, ignored);
  if (!report) return tl::unexpected(report.error());
  if (report->candidate_digest != state->candidate_digest) {
    return fail(
        ExitCode::kUsage,
        fmt::format("{} is not what attempt {} was given for", quote_input(candidate), *chosen),
        "verify it again");
  }
  BenchedAttempt out;
  out.attempt = *chosen;
  out.directory = next_bench(directory);
  const std::string samples = write_samples(report->samples);
  if (const Status kept = keep(out.directory, *report, samples); !kept) {
    return tl::unexpected(kept.error());
  }
  Json data;
  if (report->failure != Failure::kNone) {
    data[std::string(kFailureClass)] = name_of(report->failure);
  } else {
    data[std::string(kCandidateDigest)] = report->candidate_digest;
    data["decision"] = name_of(decide(report->statistic));
    data["ratio"] = json_number(report->statistic.ratio.value);
    data["low"] = json_number(report->statistic.ratio.low);
    data["high"] = json_number(report->statistic.ratio.high);
  }
  data["samples_digest"] = sha256_hex(samples);
  const auto event =
      report->failure != Failure::kNone ? LedgerEvent::kRejected : LedgerEvent::kBenched;
  if (const auto entry = ledger->append(event, *chosen, data, wall_now()); !entry) {
    return tl::unexpected(entry.error());
  }
  const auto after = ledger->history().state_of(*chosen);
  if (!after) return tl::unexpected(after.error());
  out.state = state_sentence(*after);
  out.report = std::move(*report);
  return out;
}

}  // namespace tensorpath::forge
