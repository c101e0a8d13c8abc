// promote_run with other judges; for its tests.
#pragma once

#include "measurement.h"

#include <functional>

#include <tensorpath/forge/promote_run.h>
#include <tensorpath/harness/verify.h>

namespace tensorpath::forge {

// Every gate again on the candidate in a directory; verify() but in tests.
using Verify = std::function<Expected<VerifyReport>(const std::string& candidate_directory,
                                                    const VerifyOptions& options)>;
struct Judges {
  Bench bench;
  Verify verify;
};

[[nodiscard]] Expected<PromotedAttempt> promote_with(
    const RunDirectory& run, const Operators& operators, const PromoteRequest& request,
    const Judges& judges, const BenchOptions& options, const SigningKey* key);

}  // namespace tensorpath::forge
