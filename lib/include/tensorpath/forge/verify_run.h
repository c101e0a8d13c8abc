// `forge verify`: one attempt of a run, gate by gate, each step in the ledger before the next
// begins.
#pragma once

#include <string>

#include <tensorpath/base/clock.h>
#include <tensorpath/base/error.h>
#include <tensorpath/forge/run_directory.h>
#include <tensorpath/harness/verify.h>

namespace tensorpath::forge {

struct AttemptReport {
  int attempt = 0;
  std::string state;  // state_sentence() of the ledger
  VerifyReport report;
};

// Verifies the candidate in `directory` (empty: the run's own) as the next attempt. An attempt that
// was killed is void from then on. Errors: somebody else is at work on the run (limit); the machine
// lacks something (environment).
[[nodiscard]] Expected<AttemptReport> verify_run(const RunDirectory& run,
                                                 const Operators& operators,
                                                 const std::string& directory,
                                                 VerifyOptions options);

}  // namespace tensorpath::forge
