#include "measurement.h"

#include <filesystem>

#include <fmt/format.h>

#include <tensorpath/base/file.h>
#include <tensorpath/evidence/harness_digest.h>

namespace tensorpath::forge {
namespace {

constexpr std::string_view kBuild = "build";

// The first directory bench-1, bench-2, ... that is not there yet.
std::string next_bench(const std::string& attempt) {
  for (int i = 1;; ++i) {
    std::string path = path_join(attempt, fmt::format("bench-{}", i));
    if (!directory_exists(path)) return path;
  }
}

Status keep(const std::string& directory, const BenchReport& report, const std::string& samples) {
  if (Status made = make_directories(directory); !made) return made;
  if (Status written = write_file_atomic(path_join(directory, "samples.bin"), samples); !written) {
    return written;
  }
  return write_file_atomic(path_join(directory, "bench.json"), to_text(report.to_json()));
}

Expected<LedgerEntry> record(Ledger& ledger, int attempt, std::string_view purpose,
                             const BenchReport& report, const std::string& samples) {
  const auto harness = harness_digest();
  if (!harness) return tl::unexpected(harness.error());
  const bool failed = report.failure != Failure::kNone;
  Json data;
  if (failed) {
    data[std::string(kFailureClass)] = name_of(report.failure);
  } else {
    data[std::string(kCandidateDigest)] = report.candidate_digest;
    const Interval& ratio = report.timing.statistic.ratio;
    data["decision"] = report.timing.word();
    data["ratio"] = json_number(ratio.value);
    data["low"] = json_number(ratio.low);
    data["high"] = json_number(ratio.high);
  }
  data[std::string(kSamplesDigest)] = sha256_hex(samples);
  data[std::string(kPurpose)] = purpose;
  data[std::string(kHarnessDigest)] = *harness;
  return ledger.append(failed ? LedgerEvent::kRejected : LedgerEvent::kBenched, attempt, data,
                       wall_now());
}

}  // namespace

Expected<Measurement> measure(const RunDirectory& run, Ledger& ledger, int attempt,
                              std::string_view purpose, const Bench& bench, BenchOptions options) {
  const auto state = ledger.history().state_of(attempt);
  if (!state) return tl::unexpected(state.error());
  const std::string directory = run.attempt_path(attempt);
  options.scratch = path_join(directory, kBuild);
  std::error_code ignored;
  std::filesystem::remove_all(options.scratch, ignored);  // of one that was killed
  const std::string candidate = path_join(directory, "candidate");
  auto report = bench(candidate, options);
  std::filesystem::remove_all(options.scratch, ignored);
  if (!report) return tl::unexpected(report.error());
  if (report->candidate_digest != state->candidate_digest) {
    return fail(
        ExitCode::kUsage,
        fmt::format("{} is not what attempt {} was given for", quote_input(candidate), attempt),
        "verify it again");
  }
  Measurement out{next_bench(directory), std::move(*report)};
  const std::string samples = write_samples(out.report.samples);
  if (const Status kept = keep(out.directory, out.report, samples); !kept) {
    return tl::unexpected(kept.error());
  }
  const auto entry = record(ledger, attempt, purpose, out.report, samples);
  if (!entry) return tl::unexpected(entry.error());
  return out;
}

}  // namespace tensorpath::forge
