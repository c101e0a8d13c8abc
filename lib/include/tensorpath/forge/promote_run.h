// `forge promote`: every gate again from the ledger, a measurement anew that alone counts, and an
// entry in the registry with the packet that proves it.
#pragma once

#include <string>
#include <vector>

#include <tensorpath/base/error.h>
#include <tensorpath/forge/packet_run.h>
#include <tensorpath/forge/run_directory.h>
#include <tensorpath/harness/bench.h>
#include <tensorpath/registry/entry.h>

namespace tensorpath::forge {

struct PromoteRequest {
  int attempt = 0;           // 0: the latest that holds a verdict
  std::string registry;      // the directory to publish in
  registry::Toolchain here;  // of this machine; its flags are the build's
  std::string version;       // of this program
  WallTime created;
};

struct PromotedAttempt {
  int attempt = 0;
  std::string state;      // state_sentence() of the ledger
  bool promoted = false;  // now or before
  std::string reason;     // why not; empty when it is promoted
  std::string entry;      // the id in the registry; empty when there is none
  std::string packet;     // the directory of the attempt's packet; empty when it was rejected
  bool measured = false;  // a refusal by the ledger alone measures nothing
  int measurements = 0;   // of this attempt for a promotion, this one among them; all are pooled
  BenchReport report;     // the measurement, its statistic that of all of them pooled
};

// Whatever the candidate's state or times say is a refusal with its reason. Times that are too good
// (JudgedTiming::doubt) have every gate run again first, with fresh seeds. One killed between the
// ledger's word and the registry's entry is finished by the next call. Errors (usage): no attempt
// was timed yet; (limit): somebody else is at work on the run.
[[nodiscard]] Expected<PromotedAttempt> promote_run(const RunDirectory& run,
                                                    const Operators& operators,
                                                    const PromoteRequest& request,
                                                    const std::vector<std::string>& baselines,
                                                    const BenchOptions& options,
                                                    const SigningKey* key = nullptr);

}  // namespace tensorpath::forge
