#include "measurement.h"

#include <filesystem>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/evidence/harness_digest.h>
#include <tensorpath/forge/attempt_state.h>
#include <tensorpath/forge/create_run.h>
#include <tensorpath/forge/verify_run.h>

namespace tensorpath::forge {
namespace {

constexpr std::string_view kBuild = "build";

// What killed attempts left is no evidence: a build, a file half written, a report that the ledger
// never heard of. All of them, for whoever cleaned up last may have been killed too.
void remove_remains(const RunDirectory& run, const LedgerHistory& history) {
  std::error_code ignored;
  for (int attempt = 1; attempt <= history.attempts(); ++attempt) {
    const auto now = history.state_of(attempt);
    if (!now || now->state != LedgerEvent::kVoid) continue;
    std::filesystem::remove_all(run.attempt_path(attempt), ignored);
  }
}

void remove_build(const RunDirectory& run, int attempt) {
  std::error_code ignored;
  std::filesystem::remove_all(path_join(run.attempt_path(attempt), kBuild), ignored);
}

// Carries the gates' results into the ledger.
class Recorder {
 public:
  Recorder(const RunDirectory& run, Ledger& ledger) : run_(run), ledger_(ledger) {}

  Status begin(const std::string& digest, const std::string& commitment) {
    digest_ = digest;
    const auto attempt =
        ledger_.begin_attempt({{kCandidateDigest, digest}, {"commitment", commitment}}, wall_now());
    if (!attempt) return tl::unexpected(attempt.error());
    attempt_ = *attempt;
    const auto directory = run_.make_attempt_directory(attempt_);
    if (!directory) return tl::unexpected(directory.error());
    return {};
  }

  Status passed(Gate gate) {
    if (gate == Gate::kObject) return append(LedgerEvent::kCompiled, Json::object());
    if (gate == Gate::kSmoke) return append(LedgerEvent::kSmokePassed, Json::object());
    return {};
  }

  // The verdict, and with it the seed: from now on anybody can draw the same cases.
  Status end(const VerifyReport& report, const std::string& report_text) {
    const auto harness = harness_digest();
    if (!harness) return tl::unexpected(harness.error());
    Json data = {{"seed", report.seed},
                 {"cases", report.case_count},
                 {std::string(kReportDigest), sha256_hex(report_text)},
                 {std::string(kHarnessDigest), *harness}};
    if (report.passed) {
      // Whoever promotes must see that a gate was left out.
      for (const GateReport& gate : report.gates) {
        if (gate.status != GateReport::Status::kPassed)
          data["not_run"].push_back(name_of(gate.gate));
      }
      return append(LedgerEvent::kVerified, std::move(data));
    }
    data[std::string(kFailureClass)] = name_of(report.failure);
    return append(LedgerEvent::kRejected, std::move(data));
  }

  [[nodiscard]] int attempt() const { return attempt_; }

 private:
  Status append(LedgerEvent event, Json data) {
    if (event != LedgerEvent::kRejected) data[std::string(kCandidateDigest)] = digest_;
    const auto entry = ledger_.append(event, attempt_, data, wall_now());
    if (!entry) return tl::unexpected(entry.error());
    return {};
  }

  const RunDirectory& run_;
  Ledger& ledger_;
  std::string digest_;
  int attempt_ = 0;
};

Status keep(const RunDirectory& run, int attempt, const KernelCandidate& candidate,
            const std::string& report_text) {
  const std::string directory = run.attempt_path(attempt);
  const std::string sources = path_join(directory, "candidate");
  if (Status made = make_directories(sources); !made) return made;
  for (const auto& [name, contents] : candidate.files) {
    if (Status written = write_file_atomic(path_join(sources, name), contents); !written) {
      return written;
    }
  }
  return write_file_atomic(path_join(directory, "report.json"), report_text);
}

}  // namespace

Expected<AttemptReport> verify_run(const RunDirectory& run, const Operators& operators,
                                   const std::string& directory, VerifyOptions options) {
  const auto lock = run.lock("verify");
  if (!lock) return tl::unexpected(lock.error());
  // First of all: the ledger knows whether the task is still the one it was made with.
  auto ledger = run.open_ledger();
  if (!ledger) return tl::unexpected(ledger.error());
  const auto task = task_of(run, operators);
  if (!task) return tl::unexpected(task.error());
  const auto voided = ledger->void_unfinished(wall_now());
  if (!voided) return tl::unexpected(voided.error());
  remove_remains(run, ledger->history());

  const std::string from = directory.empty() ? run.candidate_path() : directory;
  Refusal refusal;
  const auto candidate = read_candidate(from, *task, refusal);
  if (!candidate) return tl::unexpected(candidate.error());
  Recorder recorder(run, *ledger);
  const int next = ledger->history().attempts() + 1;
  options.scratch = path_join(run.attempt_path(next), kBuild);
  options.on_commit = [&](const std::string& commitment) {
    return recorder.begin(candidate->digest, commitment);
  };
  const auto shown = options.on_gate;
  options.on_gate = [&](const GateReport& gate) -> Status {
    if (gate.status == GateReport::Status::kPassed) {
      if (Status recorded = recorder.passed(gate.gate); !recorded) return recorded;
    }
    return shown ? shown(gate) : Status{};
  };
  auto report = verify(*task, from, options);
  remove_build(run, next);
  if (!report) return tl::unexpected(report.error());
  if (report->candidate_digest != candidate->digest) {
    return fail(ExitCode::kUsage,
                fmt::format("the candidate in {} changed while it was read", quote_input(from)),
                "leave it alone until verify is done, and run it again");
  }
  // Turned down before anything was committed: an attempt all the same.
  if (recorder.attempt() == 0) {
    if (const Status begun = recorder.begin(candidate->digest, ""); !begun) {
      return tl::unexpected(begun.error());
    }
  }
  const std::string report_text = to_text(report->to_json());
  if (const Status kept = keep(run, recorder.attempt(), *candidate, report_text); !kept) {
    return tl::unexpected(kept.error());
  }
  if (const Status ended = recorder.end(*report, report_text); !ended)
    return tl::unexpected(ended.error());
  const auto state = ledger->history().state_of(recorder.attempt());
  if (!state) return tl::unexpected(state.error());
  return AttemptReport{recorder.attempt(), state_sentence(*state), std::move(*report)};
}

}  // namespace tensorpath::forge
