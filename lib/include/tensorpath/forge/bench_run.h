// `forge bench`: times the candidate of an attempt that holds a verdict, and records what came out.
#pragma once

#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/forge/run_directory.h>
#include <tensorpath/harness/bench.h>

namespace tensorpath::forge {

struct BenchedAttempt {
  int attempt = 0;
  std::string state;      // state_sentence() of the ledger
  std::string directory;  // with bench.json and samples.bin
  BenchReport report;
};

// The baselines that an operator names for its device: out of the first of `directories` that has
// DIR/<op>/<name>/; those named and not there are listed as absent. On a GPU also the arms of
// PyTorch for an operator that has DIR/<op>/torch/, which need not be named.
[[nodiscard]] std::vector<BaselineSource> find_baselines(
    const KernelTask& task, const std::vector<std::string>& directories);

// `attempt` 0: the latest that holds a verdict. A candidate whose timed outputs are wrong is
// rejected from then on. Errors (usage): no attempt holds a verdict, or its files are not those it
// was given for; (limit): somebody else is at work on the run.
[[nodiscard]] Expected<BenchedAttempt> bench_run(const RunDirectory& run,
                                                 const Operators& operators, int attempt,
                                                 const std::vector<std::string>& baselines,
                                                 BenchOptions options);

}  // namespace tensorpath::forge
