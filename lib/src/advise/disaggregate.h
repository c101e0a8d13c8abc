// Disaggregated serving: prompts on one pool of replicas, decoding on another, the KV cache moved
// between them. A decode step never waits for a prompt; a first token waits for its turn, its
// prompt and the transfer. Closed form, uncalibrated: what it gives is `modeled`.
#pragma once

#include "search.h"

namespace tensorpath::advise {

// For each model and GPU, gives the best plan (of `plans`, sorted) a disaggregated sibling of the
// same engine and formats, and appends the feasible ones. Open demand only: under a closed loop or
// a drained batch nothing is gained by keeping prompts apart that a larger pool would not also
// give.
void add_disaggregated(const Question& question, std::vector<Evaluated>& plans);

// Sizes, prices and scores `seed` with its prompts moved to a pool of `prefill` replicas.
[[nodiscard]] Verdict evaluate_pair(const Question& question, const Evaluated& seed,
                                    const CompiledLayout& prefill, Evaluated& out);

// How one pair behaves at `rate_rps` on `prefill_replicas` and `decode_replicas`. Rates and
// in-flight counts are of the deployment.
[[nodiscard]] Prediction predict_disaggregated(const Demand& demand, const Candidate& candidate,
                                               const CompiledLayout& prefill,
                                               const CompiledLayout& decode, int prefill_replicas,
                                               int decode_replicas, double rate_rps);

}  // namespace tensorpath::advise
