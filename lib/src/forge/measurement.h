// One timing of an attempt: kept beside it as bench-<n>/, and a line of its ledger.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <tensorpath/forge/run_directory.h>
#include <tensorpath/harness/bench.h>

namespace tensorpath::forge {

// Keys of a ledger line `benched`, or of a `rejected` one that a timing led to.
inline constexpr std::string_view kSamplesDigest = "samples_digest";
inline constexpr std::string_view kPurpose = "purpose";  // "bench"; one for a promotion counts
inline constexpr std::string_view kForPromotion = "promotion";
inline constexpr std::string_view kHarnessDigest = "harness_digest";  // of `verified` too
inline constexpr std::string_view kReportDigest = "report_digest";    // of a verdict

// Of `promoted` and `refused`: that every gate was run again and held, {seed, commitment, cases,
// report_digest, harness_digest}; the report is a file beside the attempt's own.
inline constexpr std::string_view kAudit = "audit";
inline constexpr std::string_view kAuditFile = "audit.json";

// What times the candidate in a directory; bench() but in tests.
using Bench = std::function<Expected<BenchReport>(const std::string& candidate_directory,
                                                  const BenchOptions& options)>;

struct Measurement {
  std::string directory;  // with bench.json and samples.bin
  BenchReport report;
};

// Times and records. A candidate whose timed outputs are wrong is rejected from then on. Errors
// (usage): the candidate is not the one that the attempt was given for.
[[nodiscard]] Expected<Measurement> measure(const RunDirectory& run, Ledger& ledger, int attempt,
                                            std::string_view purpose, const Bench& bench,
                                            BenchOptions options);

}  // namespace tensorpath::forge
